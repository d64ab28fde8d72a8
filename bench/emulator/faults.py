"""The emulator's misbehaviour as data: the words of a fault script and how they are read. Pure.

`faultbook` decides when a fault acts, `conditions` what it then means. A script is JSON or YAML:

    faults:
      - {at: 5, do: rotate_key, key: primary}
      - {at: 10, for: 3, do: identity, answer: 429, retry_after: 2}

`at` is when it begins (from the script's zero; left out: now), `for` how long it lasts (left out: for good), `times`
how many answers it spoils before all is well again.
Durations are seconds or carry a unit (500ms, 30s, 2m). `FIELDS` lists what each fault may say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.emulator.durations import seconds
from bench.emulator.refusals import ARM_REFUSALS, ENTRA_ERRORS
from bench.emulator.roles import full_action
from bench.emulator.settings import ENDPOINT_NAMES


class FaultKind(StrEnum):
    """What a fault does."""

    ROTATE_KEY = "rotate_key"
    REVOKE_TOKENS = "revoke_tokens"
    DENY = "deny"
    AUTH_MODE = "auth_mode"
    CLOCK_SKEW = "clock_skew"
    IDENTITY = "identity"
    ARM = "arm"
    STALL = "stall"
    VALIDATION_DELAY = "validation_delay"
    MODEL = "model"
    STATE = "state"
    NETWORK_ACCESS = "network_access"
    NO_MACHINE_IDENTITY = "no_machine_identity"


INSTANT = frozenset({FaultKind.ROTATE_KEY, FaultKind.REVOKE_TOKENS})
"""Faults that happen once; all others last until their `for` is over."""


class FaultScriptError(ValueError):
    """A fault script cannot be used; the message names the fault and the word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `at_s` is None for "when it is added"; `for_s`, `times` for "for good". Others are empty."""

    kind: FaultKind
    at_s: float | None = None
    for_s: float | None = None
    times: int | None = None
    endpoint: str = ""
    key: str = "primary"
    tokens: str = "all"
    action: str = ""
    principal: str = ""
    to: str = ""
    by_s: float = 0.0
    answer: str = ""
    operation: str = ""
    retry_after_s: float | None = None
    delay_s: float = 0.0
    every_s: float | None = None
    lasts_s: float = 0.5
    share: float = 1.0
    deployment: str = ""


_AUTH_MODES = tuple(ENDPOINT_NAMES)
_ENDPOINTS = (*ENDPOINT_NAMES, *ENDPOINT_NAMES.values())
_NETWORK = ("hang", "drop", "refuse")
_CHOICES: dict[tuple[FaultKind, str], tuple[str, ...]] = {
    (FaultKind.ROTATE_KEY, "key"): ("primary", "secondary", "both"),
    (FaultKind.REVOKE_TOKENS, "tokens"): ("aml_token", "aad_token", "arm", "all"),
    (FaultKind.ROTATE_KEY, "endpoint"): _ENDPOINTS,
    (FaultKind.DENY, "principal"): ("managed_identity", "service_principal"),
    (FaultKind.AUTH_MODE, "to"): _AUTH_MODES,
    (FaultKind.AUTH_MODE, "endpoint"): _ENDPOINTS,
    (FaultKind.IDENTITY, "answer"): (
        *("400", "401", "429", "500", "503", "slow", "malformed", *_NETWORK),
        *(f"AADSTS{code}" for code in ENTRA_ERRORS),
    ),
    (FaultKind.STATE, "to"): ("Creating", "Deleting", "Succeeded", "Failed", "Updating", "Canceled"),
    (FaultKind.STATE, "endpoint"): _ENDPOINTS,
    (FaultKind.NETWORK_ACCESS, "to"): ("Enabled", "Disabled"),
    (FaultKind.NETWORK_ACCESS, "endpoint"): _ENDPOINTS,
    (FaultKind.ARM, "answer"): (
        *("401", "403", "404", "409", "429", "500", "502", "503", "slow", "malformed", *ARM_REFUSALS),
        *("expired_times", "refresh_after_expiry", "missing_times", "far_times"),
        *_NETWORK,
    ),
    (FaultKind.ARM, "operation"): (
        *("workspace", "endpoints", "endpoint", "deployments", "deployment"),
        *("listkeys", "token", "regeneratekeys", "operation_status", "operation_result"),
    ),
    (FaultKind.MODEL, "answer"): ("500", "503", "slow"),
}

FIELDS: dict[FaultKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    FaultKind.ROTATE_KEY: ((), ("key", "endpoint")),
    FaultKind.REVOKE_TOKENS: ((), ("tokens",)),
    FaultKind.DENY: (("action",), ("principal",)),
    FaultKind.AUTH_MODE: (("to",), ("endpoint",)),
    FaultKind.CLOCK_SKEW: (("by",), ()),
    FaultKind.IDENTITY: (("answer",), ("retry_after", "delay", "times")),
    FaultKind.ARM: (("answer",), ("operation", "retry_after", "delay", "times")),
    FaultKind.STALL: ((), ("every", "lasts")),
    FaultKind.VALIDATION_DELAY: (("by",), ()),
    FaultKind.MODEL: (("answer",), ("share", "delay", "deployment", "times")),
    FaultKind.STATE: (("to",), ("endpoint", "deployment")),
    FaultKind.NETWORK_ACCESS: (("to",), ("endpoint",)),
    FaultKind.NO_MACHINE_IDENTITY: ((), ()),
}
"""Kind -> (words it needs, words it may have), besides `at`, `for` and `do`."""

_DURATIONS = {
    "at": "at_s",
    "for": "for_s",
    "by": "by_s",
    "retry_after": "retry_after_s",
    "delay": "delay_s",
    "every": "every_s",
    "lasts": "lasts_s",
}


def parse_script(document: Any) -> tuple[Fault, ...]:
    """The faults of a decoded script: a list, `{"faults": [...]}`, or a single fault. FaultScriptError if not."""
    if isinstance(document, dict) and "faults" in document:
        document = document["faults"]
    if isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise FaultScriptError("a fault script is a list of faults, or {faults: [...]}")
    return tuple(_parse_fault(entry, number) for number, entry in enumerate(document, start=1))


def _parse_fault(entry: Any, number: int) -> Fault:
    where = f"fault {number}"
    if not isinstance(entry, dict) or "do" not in entry:
        raise FaultScriptError(f"{where} is not a table with `do`")
    try:
        kind = FaultKind(entry["do"])
    except ValueError as exc:
        raise FaultScriptError(f"{where}: unknown `do: {entry['do']}`; known are {', '.join(FaultKind)}") from exc
    where = f"{where} ({kind})"
    needed, allowed = FIELDS[kind]
    words = {str(word): value for word, value in entry.items() if word != "do"}
    known = {"at", *needed, *allowed, *(() if kind in INSTANT else ("for",))}
    if unknown := sorted(set(words) - known):
        raise FaultScriptError(f"{where} does not know `{unknown[0]}`; it knows {', '.join(sorted(known))}")
    if missing := sorted(set(needed) - set(words)):
        raise FaultScriptError(f"{where} needs `{missing[0]}`")
    values = dict(_parse_word(kind, word, value, where) for word, value in words.items())
    fault = Fault(kind=kind, **values)
    _check_sense(fault, where)
    return fault


def _parse_word(kind: FaultKind, word: str, value: Any, where: str) -> tuple[str, Any]:
    try:
        if word in _DURATIONS:
            return _DURATIONS[word], seconds(value)
        if word == "share":
            return word, float(value)
        if word == "times":
            return word, _whole(value)
        if word == "action":
            return word, full_action(str(value))
    except (TypeError, ValueError) as exc:
        raise FaultScriptError(f"{where}: `{word}`: {exc}") from exc
    text = str(value)
    choices = _CHOICES.get((kind, word))
    if choices and text not in choices:
        raise FaultScriptError(f"{where}: `{word}: {text}` is none of {', '.join(choices)}")
    return word, text


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no number of times")
    return value


def _check_sense(fault: Fault, where: str) -> None:
    if fault.at_s is not None and fault.at_s < 0:
        raise FaultScriptError(f"{where}: `at` is before the script's zero")
    if fault.for_s is not None and fault.for_s <= 0:
        raise FaultScriptError(f"{where}: `for` lasts no time")
    if fault.every_s is not None and not 0 < fault.lasts_s < fault.every_s:
        raise FaultScriptError(f"{where}: `lasts` must be shorter than `every`")
    if not 0 <= fault.share <= 1:
        raise FaultScriptError(f"{where}: `share` is from 0 to 1")
    if fault.times is not None and fault.answer in ("hang", "refuse"):
        raise FaultScriptError(f"{where}: `times` counts answers, and `{fault.answer}` gives none")
    if fault.answer == "slow" and fault.delay_s <= 0:
        raise FaultScriptError(f"{where}: `answer: slow` needs `delay`")

"""The values of options, read: from the text that a person wrote to a plan. Pure.

What cannot be read is a UsageError that names the option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.objectives import parse_objectives
from bench.plan.options import LONGEST_S, MOST_PER_S, MOST_PROCESSES, MOST_SPEED, MOST_USERS
from bench.plan.request_plan import listed, request_plan_of
from bench.plan.run_plan import (
    ARRIVALS,
    DEFAULT_AUTO_WARM_UP_S,
    DEFAULT_DURATION_S,
    DEFAULT_MIN_EFFECT_MS,
    DEFAULT_START_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    DEFAULT_USERS,
    DEFAULT_WARM_UP_S,
    LEAST_AUTO_WARM_UP_S,
    RunPlan,
    Variant,
    is_auto,
    parse_duration_s,
    parse_stages,
)


def auth_modes_of(text: str, *, default: tuple[AuthMode, ...]) -> tuple[AuthMode, ...]:
    """`key,aml_token` to modes; empty gives `default`."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in list(AuthMode)]
    if unknown:
        raise UsageError(f"--auth-mode: {unknown[0]!r} is no auth mode", hint=f"there are {', '.join(AuthMode)}")
    return tuple(AuthMode(word) for word in words) or default


def words_of(text: str) -> tuple[str, ...]:
    """The words of a comma-separated option."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def is_on(value: Any) -> bool:
    """A switch from a command line (bool), an environment variable or a form (text)."""
    return value is True or str(value).strip().lower() in {"1", "true", "yes", "on"}


def plan_of(values: Mapping[str, Any], *, target: str, variants: tuple[Variant, ...], payload_sha256: str) -> RunPlan:
    """The plan that option values ask for. UsageError names the option that cannot be read."""
    text = {
        name: "" if value is None else str(value).strip()
        for name, value in values.items()
        if not isinstance(value, bool)
    }
    arrival_rate = _number(text, "arrival-rate", most=MOST_PER_S) if text.get("arrival_rate") else None
    stages = parse_stages(text["stages"]) if text.get("stages") else ()
    if stages and arrival_rate is not None:
        raise UsageError("--arrival-rate and --stages exclude each other", hint="give one of them")
    arrivals_from = text.get("arrivals_from", "")
    if arrivals_from and (stages or arrival_rate is not None):
        raise UsageError("--arrivals-from has its own rate", hint="leave --arrival-rate and --stages out")
    arrivals = text.get("arrivals") or ARRIVALS[0]
    if arrivals not in ARRIVALS:
        raise UsageError(f"--arrivals: {arrivals!r} is not one of {', '.join(ARRIVALS)}")
    if any(max(stage.start_rate, stage.end_rate) > MOST_PER_S for stage in stages):
        raise UsageError("--stages: a rate is too high", hint=f"at most {MOST_PER_S:g}/s")
    warm_up_s, warm_up_auto = _warm_up(text)
    if warm_up_auto and (stages or arrivals_from):
        raise UsageError("--warm-up auto is for one rate: a load that changes does not settle", hint="give a time")
    duration_s: float | None = _duration(text, "duration", default_s=DEFAULT_DURATION_S)
    if stages:
        total_s = math.fsum(stage.duration_s for stage in stages)
        if warm_up_s >= total_s:
            raise UsageError(f"--warm-up {warm_up_s:g}s is not shorter than the stages ({total_s:g}s)")
        duration_s = total_s - warm_up_s
    timeout_s = _duration(text, "timeout", default_s=DEFAULT_TIMEOUT_S)
    if timeout_s <= 0:
        raise UsageError("--timeout must be above 0", hint="write 10s")
    processes = _whole(text, "processes", least=1, most=MOST_PROCESSES, default=1)
    users = _whole(text, "users", least=1, most=MOST_USERS, default=DEFAULT_USERS)
    if users < (least := max(len(variants), 1) * processes):
        each = "each variant" if processes == 1 else f"each of {len(variants) or 1} variants in {processes} processes"
        raise UsageError(f"--users {users} are fewer than one for {each}", hint=f"give at least {least}")
    return RunPlan(
        target=target,
        variants=variants,
        users=users,
        arrival_rate=arrival_rate,
        arrivals=arrivals,
        stages=stages,
        duration_s=duration_s or None,
        warm_up_s=warm_up_s,
        warm_up_auto=warm_up_auto,
        timeout_s=timeout_s,
        idle_timeout_s=_duration(text, "idle-timeout", default_s=0.0),
        payload=text.get("payload", ""),
        payload_sha256=payload_sha256,
        deployment=_header_word(text.get("deployment", "")),
        ca_file=text.get("ca_file", ""),
        client_cert=text.get("client_cert", ""),
        client_key=text.get("client_key", ""),
        min_effect_ms=min_effect_ms_of(text.get("min_effect") or f"{DEFAULT_MIN_EFFECT_MS}ms"),
        seed=_whole(text, "seed", least=0, most=1 << 63, default=0),
        processes=processes,
        start_timeout_s=_duration(text, "start-timeout", default_s=DEFAULT_START_TIMEOUT_S),
        arrivals_from=arrivals_from,
        speed=_number({"speed": text.get("speed") or "1"}, "speed", most=MOST_SPEED),
        request=request_plan_of(text, think_s=_duration(text, "think-time", default_s=0.0)),
        trace_share=share_of(text["traceparent"], option="--traceparent") if text.get("traceparent") else None,
        goodput=tuple(one.text for one in parse_objectives(listed(text.get("goodput", "")))),
    )


def min_effect_ms_of(text: str) -> float:
    """The smallest difference that matters, in ms. Any difference would matter at 0: UsageError."""
    least_ms = parse_duration_s(text, option="--min-effect") * 1000
    if least_ms <= 0:
        raise UsageError("--min-effect must be above 0", hint="write 0.5ms")
    return least_ms


def _number(text: Mapping[str, str], name: str, *, most: float) -> float:
    """A number above 0."""
    word = text[name.replace("-", "_")]
    try:
        value = float(word)
    except ValueError as exc:
        raise UsageError(f"--{name}: {word!r} is not a number") from exc
    if not value > 0:
        raise UsageError(f"--{name}: {word} is too small", hint="above 0")
    if value > most:
        raise UsageError(f"--{name}: {word} is too large", hint=f"at most {most:,.0f}")
    return value


def share_of(word: str, *, option: str) -> float:
    """`0.05` or `5%`. UsageError names `option`."""
    try:
        value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError as exc:
        raise UsageError(f"{option}: {word[:40]!r} is not a share", hint="write 0.05 or 5%") from exc
    if not 0 <= value <= 1:
        raise UsageError(f"{option}: {word[:40]} is not between 0 and 1", hint="write 0.05 or 5%")
    return value


def _whole(text: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    word = text.get(name) or str(default)
    try:
        value = int(word)
    except ValueError as exc:
        raise UsageError(f"--{name}: {word!r} is not a whole number") from exc
    if value < least:
        raise UsageError(f"--{name}: {word} is too small", hint=f"at least {least}")
    if value > most:
        raise UsageError(f"--{name}: {word} is too large", hint=f"at most {most:,}")
    return value


def _warm_up(text: Mapping[str, str]) -> tuple[float, bool]:
    """How long at most, and whether it ends as soon as service time has settled."""
    if not is_auto(text.get("warm_up")):
        return _duration(text, "warm-up", default_s=DEFAULT_WARM_UP_S), False
    _, colon, bound = text.get("warm_up", "").partition(":")
    if colon and not bound.strip():
        raise UsageError("--warm-up auto: does not say how long at most", hint="write auto, or auto:2m")
    at_most_s = _duration({"warm_up": bound}, "warm-up", default_s=DEFAULT_AUTO_WARM_UP_S)
    within(at_most_s, "warm-up auto, in seconds", least=LEAST_AUTO_WARM_UP_S, most=LONGEST_S)
    return at_most_s, True


def _duration(text: Mapping[str, str], name: str, *, default_s: float) -> float:
    value_s = parse_duration_s(text.get(name.replace("-", "_")) or f"{default_s}", option=f"--{name}")
    if value_s > LONGEST_S:
        raise UsageError(f"--{name}: {value_s:g} s is too long", hint=f"at most {LONGEST_S / 3600:g}h")
    return value_s


def within(value: float, name: str, *, least: float, most: float) -> None:
    """UsageError unless a number of a command's own option is one that the command can work with."""
    if not least <= value <= most:
        raise UsageError(f"--{name}: {value:g} is not between {least:,.9g} and {most:,.9g}")


def _header_word(text: str) -> str:
    if any(not "!" <= character <= "~" for character in text):
        raise UsageError(f"--deployment: {text!r} cannot be a deployment's name", hint="letters, digits and hyphens")
    return text

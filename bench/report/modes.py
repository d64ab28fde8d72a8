"""Key or token? What a comparison of auth modes says on one screen, beside what Azure's documents say. Pure.

Figures are out of summary, manifest and flights; what a mode needs is from Microsoft Learn, "Authenticate clients for
online endpoints" and "Azure Resource Manager request limits".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import numbers
from bench.report import words

_WRITES_AN_HOUR = 36_000
ARM_BUDGET = f"ARM gives a principal 250 reads, then 25/s, and 200 writes, then 10/s ({_WRITES_AN_HOUR:,} an hour)"
ASSUMED = "assumed: listing keys and fetching a token count as writes, ARM's rule for POST, unconfirmed for Azure ML"

_NEEDS = {
    "key": "listKeys/action to fetch it, nothing to score; a ReadOnly lock on the endpoint stops listing (assumed)",
    "aml_token": "token/action to fetch it, nothing to score; a ReadOnly lock on the endpoint stops it (assumed)",
    "aad_token": "score/action on the endpoint to score, nothing to fetch it; locks do not matter",
}
ROTATIONS = {
    "key": "1 request refused and sent again, 5 ms without a key, 2 calls; while ARM is down, none is sent",
    "aml_token": "1 request refused and sent again, 8 ms without a token, 2 calls; keys do not matter",
    "aad_token": "1 request refused and sent again, 5 ms without a token, 1 call; keys do not matter",
}
DRILLED = "What a rotation costs is of bench drill --all against an emulator: Azure's ARM is slower"
_KINDS = {
    "key": "managed and Kubernetes endpoints",
    "aml_token": "managed and Kubernetes endpoints",
    "aad_token": "managed endpoints only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRow:
    """One question with an answer a variant."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModesPage:
    """`costs` are sentences, `rows` a table with a column a variant of `names`."""

    names: tuple[str, ...]
    costs: tuple[str, ...]
    rows: tuple[ModeRow, ...]


def modes_page(
    summary: Mapping[str, Any], manifest: Mapping[str, Any], flights: Sequence[Mapping[str, Any]]
) -> ModesPage | None:
    """None unless variants of different auth modes were compared."""
    variants: Mapping[str, Mapping[str, Any]] = summary["variants"]
    compared = words.comparisons(summary)
    modes = {name: str(variant["auth_mode"]) for name, variant in variants.items()}
    if not compared or len(set(modes.values())) < 2:
        return None
    costs = [words.cost_sentence(one, quantile=q) for one in compared for q in ("p50", "p99")]
    costs += [f"Where it arises: {one['decomposition']['sentence']}" for one in compared]
    flights_of = {name: [one for one in flights if one.get("variant") == name] for name in variants}
    sent = manifest.get("variants", {})

    def row(question: str, answers: Mapping[str, str]) -> ModeRow:
        return ModeRow(question=question, answers=tuple(answers[name] for name in variants))

    return ModesPage(
        names=tuple(variants),
        costs=tuple(cost for cost in costs if cost) if words.conclusive(summary) else (),
        rows=(
            row(
                "bytes of a request",
                {name: numbers.count(sent.get(name, {}).get("request_bytes")) for name in variants},
            ),
            row("control-plane calls an hour", {name: _calls(modes[name], flights_of[name]) for name in variants}),
            row("what a refresh cost", {name: _refresh(variants[name]) for name in variants}),
            row(
                "survives an outage of ARM", {name: _outage(modes[name], flights_of[name], "arm") for name in variants}
            ),
            row(
                "survives an outage of Entra",
                {name: _outage(modes[name], flights_of[name], "entra") for name in variants},
            ),
            row(
                "what a rotation or revocation costs",
                {name: ROTATIONS.get(modes[name], numbers.DASH) for name in variants},
            ),
            row("roles and locks", {name: _NEEDS.get(modes[name], numbers.DASH) for name in variants}),
            row("which endpoints have it", {name: _KINDS.get(modes[name], numbers.DASH) for name in variants}),
        ),
    )


def _life_s(flights: Sequence[Mapping[str, Any]], name: str) -> float | None:
    found = [float(one[name]) for one in flights if isinstance(one.get(name), int | float)]
    return min(found) if found else None


def _calls(mode: str, flights: Sequence[Mapping[str, Any]]) -> str:
    refresh_s = _life_s(flights, "refresh_in_s")
    if mode == "key":
        return "0 once it is fetched: a key does not run out"
    if mode == "aad_token":
        return "0: Entra is asked, not ARM"
    if not refresh_s:
        return "not known: no flight reported its token's life"
    calls = max(round(3600 / refresh_s), 1)
    share = numbers.percent(calls / _WRITES_AN_HOUR)
    return f"{numbers.plural(calls, 'write')} for each process that fetches for itself: {share} of ARM's budget"


def _refresh(variant: Mapping[str, Any]) -> str:
    refreshes = variant["refreshes"]
    around = refreshes["response_time"]
    if not refreshes["flights"]:
        return "nothing was fetched: the secret was given"
    took = f"{numbers.milliseconds(refreshes['mean_ms'])} ms a fetch"
    if not around:
        return f"{took}, no refresh in this run"
    waited = f"longest wait {numbers.milliseconds(refreshes['longest_wait_ms'])} ms"
    return f"{took}, {waited}, {numbers.difference(around['cost_ms'])} ms on the mean of all requests"


def _outage(mode: str, flights: Sequence[Mapping[str, Any]], of: str) -> str:
    if mode == "key":
        return "as long as the key is not rotated"
    if mode == "aad_token" and of == "arm":
        return "unlimited: ARM is not asked"
    life_s, refresh_s = _life_s(flights, "life_s"), _life_s(flights, "refresh_in_s")
    if life_s is None:
        return "not known: no flight reported its token's life"
    least = life_s - refresh_s if refresh_s is not None else 0.0
    return f"{_duration(least)} to {_duration(life_s)}: what is left of the token when it begins"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:,.0f} s"

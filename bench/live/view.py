"""What can be seen of a run while it goes on: counters, the latest times, the leases. Never a secret. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol, TypedDict

from bench.live import rolling
from bench.live.rolling import Rolling, VariantFigures


class View(TypedDict):
    """Plain values, so that a worker can send it.

    `failed` has one row a kind of failure (variant, outcome, cause, status, count), the warm-up counted too.
    """

    requests: int
    failures: int
    auth_failures: int
    in_flight: int
    lag_ms: float
    leases: list[dict[str, Any]]
    variants: dict[str, VariantFigures]
    workers: dict[str, dict[str, Any]]
    failed: list[dict[str, Any]]


NOTHING: View = {
    "requests": 0,
    "failures": 0,
    "auth_failures": 0,
    "in_flight": 0,
    "lag_ms": 0.0,
    "leases": [],
    "variants": {},
    "workers": {},
    "failed": [],
}


_UNHEARD: dict[str, Any] = {"cpu": 0.0, "lag_ms": 0.0, "lost": False, "late": False, "silent_s": 0.0}
"""A worker's own row. `late`: it came when the run had begun. `silent_s`: so long ago it was heard of last."""


class Shows(Protocol):
    """A credential manager, as far as it is shown: `snapshot` is a dataclass without a secret."""

    def snapshot(self) -> Any: ...


class Sends(Protocol):
    """A sender, as far as it is shown."""

    name: str
    tally: Any
    rolling: Rolling
    failures: Any
    managers: tuple[Any, ...]
    cpu: float

    def lag_ms(self) -> float: ...

    def elapsed_s(self) -> float: ...


def view_of(sender: Sends | None) -> View:
    """One process's."""
    if sender is None:
        return NOTHING
    tally = sender.tally
    return {
        "requests": tally.requests,
        "failures": tally.failures,
        "auth_failures": tally.auth_failures,
        "in_flight": tally.in_flight,
        "lag_ms": sender.lag_ms(),
        "leases": leases_of(sender.managers),
        "variants": sender.rolling.figures(sender.elapsed_s()),
        "workers": {sender.name: {**_UNHEARD, "cpu": sender.cpu, "lag_ms": sender.lag_ms()}},
        "failed": [{name: row[name] for name in _KIND} for row in sender.failures.rows()],
    }


def of_worker(name: str, view: View | None, *, lost: bool, late: bool, silent_s: float) -> View:
    """What is shown of a worker that said `view` `silent_s` ago. What a lost one was doing, nobody does any more."""
    known: View = view if view is not None else NOTHING
    facts = {**_UNHEARD, **known["workers"].get(name, {}), "lost": lost, "late": late, "silent_s": round(silent_s, 1)}
    if not lost:
        return {**known, "workers": {name: facts}}
    return {
        **known,
        "in_flight": 0,
        "lag_ms": 0.0,
        "variants": {variant: rolling.without_recent(one) for variant, one in known["variants"].items()},
        "workers": {name: {**facts, "cpu": 0.0, "lag_ms": 0.0}},
    }


def leases_of(managers: Iterable[Shows]) -> list[dict[str, Any]]:
    """One row a variant, without its secret."""
    snapshots = [manager.snapshot() for manager in managers]
    return [{**dataclasses.asdict(shot), "freshness": str(shot.freshness or "")} for shot in snapshots]


def merge(views: Iterable[View]) -> View:
    """All workers' together; of leases the first worker's, which all share or fetch alike."""
    views = list(views)
    if not views:
        return NOTHING
    return {
        "requests": sum(view["requests"] for view in views),
        "failures": sum(view["failures"] for view in views),
        "auth_failures": sum(view["auth_failures"] for view in views),
        "in_flight": sum(view["in_flight"] for view in views),
        "lag_ms": max(view["lag_ms"] for view in views),
        "leases": views[0]["leases"],
        "variants": rolling.merge(view["variants"] for view in views),
        "workers": {name: worker for view in views for name, worker in view["workers"].items()},
        "failed": _added(row for view in views for row in view["failed"]),
    }


_KIND = ("variant", "outcome", "cause", "status", "count")


def _added(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a kind of failure, the most frequent first."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        counts[tuple(row[name] for name in _KIND[:-1])] += row["count"]
    return [dict(zip(_KIND, (*kind, number), strict=True)) for kind, number in counts.most_common()]

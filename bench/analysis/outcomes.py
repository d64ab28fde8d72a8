"""How requests failed: each kind's count and share with its interval, and what the first of it said. Pure.

A kind is an outcome, a cause and a status. Counts are of the measured samples; what the first of a kind said comes from
the run's failures/*.jsonl, which counts the warm-up too and may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.analysis import checked, rates
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.run import Ints, LoadedRun, Part
from bench.plain_text import printable
from bench.sample import Outcome

MOST_KINDS = 20
DETAILS = (
    *("model_status", "model_reason", "reason", "location", "retry_after", "limits", "server", "request_id"),
    *("content_type", "body"),
)
"""What is reported of the first failure of a kind, where it is known."""


def failures(run: LoadedRun, variant: str, part: Part | None = None) -> list[dict[str, Any]]:
    """One entry a kind, the most frequent first; beyond `MOST_KINDS` the rest is one entry of outcome `other`.

    `share` is of the variant's measured requests, `low` and `high` its interval. The first failure of a `part` is not
    known, so nothing is reported of it.
    """
    kinds, counts, number = _kinds(run, variant, part)
    earliest = _earliest_records(run, variant) if part is None else {}
    entries = []
    for kind in np.argsort(-counts, kind="stable")[:MOST_KINDS]:
        outcome, cause, status = kinds[kind]
        block = _share(run, variant, part, np.flatnonzero(run.rows(variant, part))[number == kind + 1])
        details = earliest.get((outcome, cause, status), {})
        entries.append(
            {"outcome": outcome, "cause": cause, "status": status, "count": int(counts[kind]), **block}
            | {name: text for name in DETAILS if (text := printable(str(details.get(name) or "")))}
        )
    rest = np.argsort(-counts, kind="stable")[MOST_KINDS:]
    if len(rest):
        rows = np.flatnonzero(run.rows(variant, part))[np.isin(number, rest + 1)]
        block = _share(run, variant, part, rows)
        entries.append({"outcome": "other", "cause": "", "status": 0, "count": len(rows), **block})
    return entries


def failure_rates(run: LoadedRun, variant: str, part: Part | None = None) -> dict[str, Any]:
    """Count, share and interval of each outcome, cause and status that failed; `none` is of one that never occurred."""
    kinds, _, number = _kinds(run, variant, part)
    rows = np.flatnonzero(run.rows(variant, part))
    rates_of: dict[str, dict[str, Any]] = {}
    for place, label in enumerate(("outcome", "cause", "status")):
        groups: dict[str, list[int]] = {}
        for index, kind in enumerate(kinds, start=1):
            if kind[place]:
                groups.setdefault(str(kind[place]), []).append(index)
        rates_of[label] = {
            word: {"count": len(chosen := rows[np.isin(number, indexes)]), **_share(run, variant, part, chosen)}
            for word, indexes in sorted(groups.items())
        }
    return {**rates_of, "none": {"count": 0, **_share(run, variant, part, rows[:0])}}


def _kinds(run: LoadedRun, variant: str, part: Part | None) -> tuple[list[tuple[str, str, int]], Ints, Ints]:
    """The kinds that occur, how often each does, and for each measured row of the variant its kind's number + 1."""
    samples = run.samples
    rows = np.flatnonzero(run.rows(variant, part))
    code = (samples.outcome[rows].astype(np.int64) << 32) | (samples.cause[rows].astype(np.int64) << 16)
    code |= samples.status[rows].astype(np.int64)
    failed = ~samples.where("outcome", Outcome.OK)[rows]
    found, place = np.unique(code[failed], return_inverse=True)
    number = np.zeros(len(rows), np.int64)
    number[failed] = place + 1
    kinds = [
        (
            samples.words["outcome"][int(one) >> 32],
            samples.words["cause"][(int(one) >> 16) & 0xFFFF],
            int(one) & 0xFFFF,
        )
        for one in found
    ]
    return kinds, np.bincount(number, minlength=len(found) + 1)[1:], number


def _share(run: LoadedRun, variant: str, part: Part | None, rows: Ints) -> dict[str, Any]:
    share = _share_of(run, variant, part, rows)
    found = rates.own(share)
    return {"share": share.rate, "low": found.low, "high": found.high}


def _share_of(run: LoadedRun, variant: str, part: Part | None, rows: Ints) -> rates.Share:
    if checked.on_a_sample(run, there := run.rows(variant, part)) and checked.may_tell(run, rows):
        return checked.share(run, there, np.isin(np.arange(len(there)), rows))
    times = run.samples.intended_ns
    key = f"requests of {variant} {part} by cell"
    if key not in run.memo:
        run.memo[key] = np.bincount(
            cell_of(times[np.flatnonzero(run.rows(variant, part))], run.window_ns), minlength=CELLS
        )
    hits = np.bincount(cell_of(times[rows], run.window_ns), minlength=CELLS)
    return rates.Share(hits=hits, count=run.memo[key], span_s=run.span_s)


def _earliest_records(run: LoadedRun, variant: str) -> dict[tuple[str, str, int], Mapping[str, Any]]:
    """The earliest record of each kind, over all workers; what is not a record of this variant is passed over."""
    earliest: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for record in run.failures:
        status = record.get("status")
        if record.get("variant") != variant or not isinstance(status, int):
            continue
        kind = (str(record.get("outcome")), str(record.get("cause") or ""), status)
        if kind not in earliest or _first_ns(record) < _first_ns(earliest[kind]):
            earliest[kind] = record
    return earliest


def _first_ns(record: Mapping[str, Any]) -> int:
    first = record.get("first_ns")
    return first if isinstance(first, int) else 0

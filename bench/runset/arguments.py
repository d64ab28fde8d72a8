"""What several runs are asked to be, read from the options. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError
from bench.gates.gate import check
from bench.plan.reading import within
from bench.plan.run_plan import parse_duration_s
from bench.runset.precision import Precision, parse_precision

MOST_RUNS = 1000
MOST_UNTIL = 20
"""Runs of a set that goes on until a figure is known well, unless --runs says otherwise."""
LONGEST_PAUSE_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a set is asked to be: so many runs, or fewer once `precision` is reached."""

    runs: int
    pause_s: float = 0.0
    precision: Precision | None = None


def read_set(values: Mapping[str, Any], *, variants: Sequence[str], open_model: bool, endless: bool) -> Asked | None:
    """The set that is asked for (`plan.options.SET_OPTIONS`); None for one run. UsageError for what does not go
    together."""
    asked = _number(str(values["runs"]))
    if not (asked or values["until"]):
        if values["pause"]:
            raise UsageError("--pause is between runs, and there is one", hint="give --runs")
        return None
    runs = asked or MOST_UNTIL
    within(runs, "runs", least=2, most=MOST_RUNS)
    pause_s = parse_duration_s(values["pause"] or "0", option="--pause")
    within(pause_s, "pause", least=0, most=LONGEST_PAUSE_S)
    for option in ("confirm", "extend_up_to", "abort_on_fail"):
        if values[option]:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"{flag} is for one run", hint="a set of runs is judged as a whole: leave it out")
    if endless:
        raise UsageError("several runs need an end each", hint="give --duration or --stages")
    precision = parse_precision(values["until"]) if values["until"] else None
    if precision is not None:
        check([precision.gate], variants=tuple(variants), open_model=open_model, has_baseline=False, where="--until")
    return Asked(runs=runs, pause_s=pause_s, precision=precision)


def _number(word: str) -> int:
    """0 for one run."""
    try:
        return int(word or "0")
    except ValueError as exc:
        raise UsageError(f"--runs: {word[:40]!r} is not a whole number", hint="write 5") from exc

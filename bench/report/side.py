"""What a plot draws: one variant of one run, with its label and its stroke. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.run import LoadedRun
from bench.report.palette import Stroke, strokes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Side:
    """`label` is the variant's name, or `run/variant` where several runs are laid over each other."""

    label: str
    run: LoadedRun
    variant: str
    stroke: Stroke


def sides_of(runs: Sequence[LoadedRun]) -> tuple[Side, ...]:
    """Every variant of every run, each with a stroke that no other has."""
    labelled = {
        (variant if len(runs) == 1 else f"{run.run_id}/{variant}"): (run, variant)
        for run in runs
        for variant in run.variants
    }
    stroke = strokes({label: run.auth_mode(variant) for label, (run, variant) in labelled.items()})
    return tuple(
        Side(label=label, run=run, variant=variant, stroke=stroke[label]) for label, (run, variant) in labelled.items()
    )

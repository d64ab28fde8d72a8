"""The simulated coverage of the intervals as a page for people. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.calibration.simulated import FAILURES, SCENARIOS
from bench.calibration.statistics import Enough, Row

_COLUMNS = """\
- *with interval*: share of the runs that have an interval
- *coverage*: of the difference, by its 95 % interval; *own coverage*: of the candidate's own figure
- *false alarms*: BETTER or WORSE if the variants were equal (`min_effect` 0.5 ms; 0.1 % for rates)
- *power*: WORSE if the true difference were twice `min_effect`
- *resolves*: the `min_effect` at which power is 80 %, in ms (rates: shares)
"""
_LONGER = """\
## Runs as long as they ask to be

Where a minute is too short, an INCONCLUSIVE difference says about how many more samples it needs. Here runs got as many
as the median of a hundred short ones asked for, at the same rate.

- *power*: WORSE if the true difference were twice `min_effect`; *equivalent*: EQUIVALENT if there were none
- runs of more than four million samples a variant are not simulated
"""


def page(rows: Sequence[Row], longer: Iterable[Enough], *, trials: int) -> str:
    """Scenarios, coverage, and runs of the size that is asked for, as markdown."""
    return "\n".join(
        [
            "# bench calibrate --statistics",
            "",
            _heading(trials),
            "",
            "| scenario | what happens | samples a variant | length |",
            "|---|---|---|---|",
            *(f"| {one.name} | {one.says} | {one.samples:,} | {one.duration_s:g} s |" for one in SCENARIOS),
            *(f"| {one.name} | {one.says} | {one.samples:,} | {one.duration_s:g} s |" for one in FAILURES),
            "",
            "## The intervals",
            "",
            _COLUMNS,
            markdown(rows),
            "",
            _LONGER,
            markdown_longer(longer),
            "",
        ]
    )


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    lines = [
        "| scenario | figure | with interval | coverage | own coverage | false alarms | power | resolves |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = (row.with_interval, row.coverage, row.own_coverage, row.false_alarms, row.power)
        resolves = "-" if math.isnan(row.resolves) else f"{row.resolves:.3g}"
        lines.append(f"| {row.scenario} | {row.figure} | {' | '.join(map(_percent, shares))} | {resolves} |")
    return "\n".join(lines)


def markdown_longer(found: Iterable[Enough]) -> str:
    """The figures that take longer runs as a table."""
    lines = [
        "| scenario | figure | samples asked for, a variant | runs | power | equivalent |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        runs = f"{one.trials:,}" if one.trials else "-"
        shares = f"{_percent(one.power)} | {_percent(one.equivalent)}"
        lines.append(f"| {one.scenario} | {one.figure} | {one.asked:,} | {runs} | {shares} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.1%}"


def _heading(trials: int) -> str:
    reach = 100 * 1.96 * math.sqrt(0.95 * 0.05 / trials)
    return (
        f"Simulated runs whose truth is known, {trials:,} for each line: a true 95 % is printed as {95 - reach:.1f} to"
        f" {min(95 + reach, 100):.1f} %, but for one line in twenty."
    )

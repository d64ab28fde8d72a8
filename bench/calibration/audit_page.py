"""The audit as a page: coverage, alarms, rates and repeated looks as markdown tables. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

_HEAD = """\
# bench calibrate --audit

Simulated targets with known truth, {trials} runs of a minute at 200 requests/s a variant for each line, both variants
alike. At 95 % the chance error of a line is {error:.1f} points, at 5 % as well. Latencies are about 50 ms, so that the
`min_effect` of 0.5 ms hides no alarm. Percent; `(n)`: of the n % that had an interval.

- *own*, *difference*: the 95 % interval held the truth, at p50 p90 p95 p99 p99.9 and the mean
- *warned*: said that the run is too short for what hangs together in it, or on how few episodes a tail rests
- *silent*: the own interval did not hold the truth, and nothing was said; what no run can know of itself is in it
- *alarms*: BETTER or WORSE though there is no difference; *any*: one of the six did

| target | own figure | warned | silent | difference | alarms | any |
|---|---|---|---|---|---|---|
"""
_RATES = """
## Rates

{trials} runs each. `fail at`: a gate `throttled_rate <= T` says FAIL, with T in parts of the true rate. A run without a
burst cannot know of one: its limit is the rule of three over blocks of time.

"""
_LOOKS = """
## Looking again and again

A gate on p99 or on `throttled_rate`, {trials} targets each: PASS / undecided / FAIL of one look at a minute, and of
`--extend-up-to 300s` with a look every {every:g} s; and how many runs `--abort-on-fail` ended.

"""


def page(
    rows: Sequence[Mapping[str, Any]],
    shares: Sequence[Mapping[str, Any]],
    looks: Sequence[Mapping[str, Any]],
    *,
    trials: int,
    look_trials: int,
    every_s: float,
    share_trials: int,
) -> str:
    """All tables; `rows` are those of `audit.figures` as dicts, target by target."""
    lines = [_HEAD.format(trials=trials, error=100 * math.sqrt(0.95 * 0.05 / trials)).rstrip("\n")]
    for target, found in itertools.groupby(rows, key=lambda row: row["target"]):
        figures = list(found)
        own = " ".join(_covered(one["own"], one["with_interval"]) for one in figures)
        difference = " ".join(_covered(one["difference"], one["difference_with_interval"]) for one in figures)
        warned, silent, alarms = (
            " ".join(f"{100 * one[name]:.0f}" for one in figures) for name in ("warned", "silent", "alarms")
        )
        any_alarm = f"{100 * figures[0]['any_alarm']:.1f}"
        lines.append(f"| {target} | {own} | {warned} | {silent} | {difference} | {alarms} | {any_alarm} |")
    lines += [_RATES.format(trials=share_trials).rstrip("\n") + "\n", *_table(shares)]
    if looks:
        lines += [_LOOKS.format(trials=look_trials, every=every_s).rstrip("\n") + "\n", *_table(looks)]
    return "\n".join(lines) + "\n"


def _covered(share: float | None, with_interval: float) -> str:
    if share is None or math.isnan(share):
        return "-"
    return f"{100 * share:.0f}" + (f"({100 * with_interval:.0f})" if with_interval < 1 else "")


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    cells = [[f"{100 * v:.1f}" if _is_share(name, v) else str(v) for name, v in row.items()] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (names, ["---"] * len(names), *cells)]


def _is_share(name: str, value: Any) -> bool:
    return isinstance(value, float) and (name == "coverage" or name.startswith("fail"))

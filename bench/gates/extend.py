"""Whether a run should go on or stop before its time, by what its gates say so far. Pure.

`needs_more` is for `--extend-up-to`, `hopeless` for `--abort-on-fail`; both look at the summary of the part that
has been run. Neither reads a clock: the caller says how long has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.gates.evaluate import INVALID, Reference, judge, trust_of
from bench.gates.gate import Comparison, Gate
from bench.gates.metrics import Kind
from bench.gates.result import GateResult, GateVerdict

DEFAULT_GRACE_S = 10.0
DOUBT = 2.0
"""How many times its width an interval must clear the threshold in the middle of a run. Looked at every 5 s for
5 minutes, a 95 % interval of a target on its threshold misses by chance in 16 % of the runs, one of twice the width
in 0.1 %; see docs/decisions/053."""


def needs_more(results: Sequence[GateResult], summary: Mapping[str, Any]) -> float:
    """About how many more seconds of load decide the gates: 0 when they are decided or nothing would help.

    Infinite when the figure lies so close to its threshold that no number can be told: go on as long as allowed.
    """
    if trust_of(summary) == INVALID or any(result.verdict is GateVerdict.FAIL for result in results):
        return 0.0
    return max((_seconds(result, summary) for result in results), default=0.0)


def hopeless(
    gates: Iterable[Gate],
    summary: Mapping[str, Any],
    baseline: Reference | None = None,
    *,
    measured_s: float,
    grace_s: float = DEFAULT_GRACE_S,
) -> tuple[GateResult, ...]:
    """The gates that have failed for good after `measured_s` seconds of measuring; empty means go on.

    A count beyond its limit stays beyond. An estimate counts as lost when an interval of `DOUBT` times its width
    is beyond: the rest of the run would have to be another target. Rates of arrival can always recover. Trust is
    not asked, for a run that has not ended is not complete. Nothing is hopeless within `grace_s`.
    """
    if measured_s < grace_s:
        return ()
    results = (judge(gate, summary, baseline, doubt=DOUBT) for gate in gates)
    return tuple(result for result in results if result.verdict is GateVerdict.FAIL and _for_good(result))


def _seconds(result: GateResult, summary: Mapping[str, Any]) -> float:
    if result.verdict is GateVerdict.PASS:
        return 0.0
    if result.needed_requests is None:
        return math.inf if result.verdict is GateVerdict.INCONCLUSIVE else 0.0
    variants = summary.get("variants", {})
    asked = [variants.get(result.variant, {})] if result.variant else list(variants.values())
    slowest = min((block.get("throughput") or 0.0 for block in asked), default=0.0)
    return result.needed_requests / slowest if slowest else math.inf


def _for_good(result: GateResult) -> bool:
    gate = result.gate
    if result.interval is not None:
        return True
    if gate.metric.kind in (Kind.RATE, Kind.THROUGHPUT) or result.measured is None or result.threshold is None:
        return False
    limits_growth = gate.comparison.wants_less or gate.comparison is Comparison.EQUAL
    return limits_growth and result.measured >= result.threshold

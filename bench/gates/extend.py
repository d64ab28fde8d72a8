"""Whether a run should go on or stop before its time, by what its gates say so far. Pure.

`needs_more` is for `--extend-up-to`, `hopeless` for `--abort-on-fail`; both look at the summary of the part that
has been run. Neither reads a clock: the caller says how long has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from bench.analysis import blocks
from bench.analysis.bootstrap import LEVEL
from bench.analysis.student import t_quantile
from bench.gates.evaluate import INVALID, Reference, judge, of_client, trust_of
from bench.gates.gate import Comparison, Gate
from bench.gates.result import GateResult, GateVerdict
from bench.metrics import Kind

DEFAULT_GRACE_S = 10.0
DOUBT = 2.0
"""How many times its width an interval must clear the threshold for a run to be given up, which may be looked at from
its first seconds on: one run in 1,000 ..."""
SETTLED_S = 60.0
"""... if it is as long as this. A shorter one has seen too little of what hangs together for seconds: the interval must
clear the threshold by as much more as the root of the time that is missing."""

_MIXTURE = 7.9
_FEWEST = blocks.ENOUGH_BLOCKS - 1
_LONG_ENOUGH = blocks.CELLS / blocks.LONGEST


def needs_more(results: Sequence[GateResult], summary: Mapping[str, Any], *, grown: float = 1.0) -> float:
    """About how many more seconds of load decide the gates: 0 when they are decided or nothing would help.

    Whoever looks again and again stops at the first luck: so a gate is decided when its confidence sequence
    (`sequence`) lies on one side of the threshold, whichever that is, and not before the run is long enough for what
    hangs together in it: until then blocks are not independent, and no width makes up for that. `grown`: how many
    times as much has been measured as at the first look. Infinite when the figure lies so close to the threshold that
    no number can be given: go on as long as allowed.
    """
    judged = [of_client(result, summary) for result in results]
    width = sequence(grown)
    if trust_of(summary) == INVALID or any(_lost(result, width) for result in judged):
        return 0.0
    return max((_seconds(result, summary, width) for result in judged), default=0.0)


def sequence(grown: float) -> float:
    """How many times as wide as the interval of one look its confidence sequence is, after so many first looks' time.

    It holds the truth at every look at once in 95 % of the runs. In standard errors it is the normal mixture of Robbins
    (1970), as it holds for estimates that are normal in the long run (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
    Annals of Statistics 2024), narrowest at the first look. A variance from ten blocks, the fewest that are used where
    that is enough, has a tail far longer than normal out there: so it is Student's t of the same probability.
    """
    spread = _MIXTURE * max(grown, 1.0)
    errors = math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / (1 - LEVEL)))
    beyond = NormalDist().cdf(errors)
    return t_quantile(beyond, _FEWEST) / t_quantile((1 + LEVEL) / 2, _FEWEST)


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
    is beyond: the rest of the run would have to be another target. One that hangs together for too long for what was
    measured so far is waited for. Rates of arrival can always recover. Trust is not asked, for a run that has not ended
    is not complete. Nothing is hopeless within `grace_s`.
    """
    if measured_s < grace_s:
        return ()
    doubt = DOUBT * math.sqrt(max(1.0, SETTLED_S / max(measured_s, 1.0)))
    results = (of_client(judge(gate, summary, baseline, doubt=doubt), summary) for gate in gates)
    return tuple(result for result in results if result.verdict is GateVerdict.FAIL and _for_good(result))


def _lost(result: GateResult, width: float) -> bool:
    too_short = result.hangs_together_s > 0
    return result.verdict is GateVerdict.FAIL and not too_short and (_room(result) or 0.0) >= width


def _seconds(result: GateResult, summary: Mapping[str, Any], width: float) -> float:
    if result.settled:
        return 0.0
    room = _room(result)
    if result.hangs_together_s and result.interval is not None:
        return max(_LONG_ENOUGH * result.hangs_together_s - _measured_s(result, summary), 0.0) or math.inf
    if room is None or room >= width:
        return 0.0 if result.verdict is not GateVerdict.INCONCLUSIVE else math.inf
    if result.verdict is GateVerdict.NO_DATA or math.isnan(room):
        return _requested(result, summary)
    return _measured_s(result, summary) * ((width / room) ** 2 - 1) if room > 0 else math.inf


def _room(result: GateResult) -> float | None:
    """How far the figure is from its threshold, in distances from the figure to the end of its interval on that side.

    Infinite where it is counted, NaN where there is no interval yet, None where nothing would make one.
    """
    if result.verdict is GateVerdict.NO_DATA:
        return None if result.needed_requests is None else math.nan
    if result.gate.comparison is Comparison.EQUAL or result.above is not None:
        return math.inf
    if result.interval is None or result.measured is None or result.threshold is None:
        return math.nan if result.needed_requests else math.inf
    low, high = result.interval
    apart = result.threshold - result.measured
    reach = high - result.measured if apart > 0 else result.measured - low
    if not math.isfinite(reach) or (result.measured in (0.0, 1.0) and result.gate.metric.kind is Kind.RATE):
        return math.inf  # no load makes the limit of what was never seen narrower
    return abs(apart) / reach if reach > 0 else math.inf


def _requested(result: GateResult, summary: Mapping[str, Any]) -> float:
    """Seconds until as many requests more are there as the result asks for."""
    slowest = min((block.get("throughput") or 0.0 for block in _asked(result, summary)), default=0.0)
    return (result.needed_requests or 0) / slowest if slowest else math.inf


def _measured_s(result: GateResult, summary: Mapping[str, Any]) -> float:
    lasted = [block["requests"] / block["throughput"] for block in _asked(result, summary) if block.get("throughput")]
    return max(lasted, default=math.inf)


def _asked(result: GateResult, summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    variants = summary.get("variants", {})
    return [variants.get(result.variant, {})] if result.variant else list(variants.values())


def _for_good(result: GateResult) -> bool:
    gate = result.gate
    if result.interval is not None:
        return not result.hangs_together_s
    if gate.metric.kind in (Kind.RATE, Kind.THROUGHPUT) or result.measured is None or result.threshold is None:
        return False
    limits_growth = gate.comparison.wants_less or gate.comparison is Comparison.EQUAL
    return limits_growth and result.measured >= result.threshold

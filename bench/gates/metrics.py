"""What a gate may be about: the metrics, their quantiles and units. Pure table.

`expression` checks a gate against it before the first request, and `measure` finds each metric in
the summary. A metric not in this table does not exist; the error of an unknown one prints the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from bench.sample import Outcome


class Kind(StrEnum):
    """What sort of number a metric is: it decides the units, and how sure a run can be of it."""

    TIME = "time"
    RATE = "rate"
    COUNT = "count"
    THROUGHPUT = "throughput"


UNITS: dict[Kind, dict[str, Fraction]] = {
    Kind.TIME: {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)},
    Kind.RATE: {"%": Fraction(1, 100)},
    Kind.COUNT: {"": Fraction(1)},
    Kind.THROUGHPUT: {"/s": Fraction(1)},
}
"""Per kind the units a user may write, as multiples of the summary's own: ms, a share of 1, a number, 1/s."""

QUANTILES = ("p50", "p90", "p95", "p99", "p99.9", "mean", "max")
"""What can follow a time; the figures `summary.json` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One word a gate can start with. `per_variant` metrics are judged for each variant, others once a run.

    A `deadline` is written in brackets behind the name: `within(250ms)`.
    """

    name: str
    kind: Kind
    per_variant: bool = True
    deadline: bool = False

    @property
    def quantiles(self) -> tuple[str, ...]:
        """What must follow the metric: a quantile for a time, nothing for the rest."""
        if self.kind is not Kind.TIME:
            return ()
        return QUANTILES if self.per_variant else QUANTILES[:-1]


OVERHEAD = "overhead"
ACHIEVED_RATE = "achieved_rate"
WITHIN = "within"
"""Requests that were answered well within a deadline from when they were due, as a share of all."""

_TIMES = ("response_time", "service_time", "schedule_lag", "lease_wait", "server_time")
_RATES = ("error_rate", *(f"{outcome}_rate" for outcome in Outcome))
_COUNTS = ("requests", "errors", "auth_failures", "refreshes", "refresh_failures")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(Metric(name=name, kind=Kind.TIME) for name in _TIMES),
        Metric(name=OVERHEAD, kind=Kind.TIME, per_variant=False),
        *(Metric(name=name, kind=Kind.RATE) for name in _RATES),
        Metric(name=WITHIN, kind=Kind.RATE, deadline=True),
        Metric(name=ACHIEVED_RATE, kind=Kind.RATE, per_variant=False),
        *(Metric(name=name, kind=Kind.COUNT) for name in _COUNTS),
        Metric(name="dropped_arrivals", kind=Kind.COUNT, per_variant=False),
        Metric(name="throughput", kind=Kind.THROUGHPUT),
    )
}
"""Every metric by its name, in the order an error message lists them."""

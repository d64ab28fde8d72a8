"""What one request must keep to be good: read exactly, or refused in one line."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.plan.objectives import parse_objective


@pytest.mark.parametrize(
    ("text", "metric", "quantile", "below_ms", "or_equal"),
    [
        ("time_to_first_token < 500ms", "time_to_first_token", "", 500, False),
        ("response_time<=2s", "response_time", "", 2000, True),
        (" inter_token_latency.p99.9 < 50.5 ms ", "inter_token_latency", "p99.9", 50.5, False),
        ("inter_token_latency.max < 100us", "inter_token_latency", "max", 0.1, False),
    ],
)
def test_an_objective(text: str, metric: str, quantile: str, below_ms: float, or_equal: bool) -> None:
    found = parse_objective(text)
    assert (found.metric, found.quantile, found.below_ms, found.or_equal) == (metric, quantile, below_ms, or_equal)
    assert parse_objective(found.text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no objective"),
        ("time_to_first_token", "no objective"),
        ("time_to_first_token > 5ms", "no objective"),
        ("time_to_first_token < 5", "no objective"),
        ("time_to_first_token < 5min", "unit"),
        ("time_to_first_token < 0ms", "no request keeps"),
        ("time_to_first_token.p99 < 5ms", "has one"),
        ("inter_token_latency < 5ms", "which of its gaps"),
        ("inter_token_latency.p98 < 5ms", "which of its gaps"),
        ("error_rate < 5ms", "no time of a request"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_objective(text)
    assert said in refused.value.describe()

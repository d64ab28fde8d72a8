"""Streamed answers over time and token by token, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.analysis import stream_series
from bench.runreader import load_run
from tests.analysis.streamed import Asked, write_streamed

KEY = "key"


def test_first_tokens_lie_where_they_were_due_and_tokens_where_they_came(tmp_path: Path) -> None:
    """Also the tokens of a stream that was cut, and of one of the warm-up; those after the run are nobody's."""
    requests = [
        Asked(at_s=0.5, first_ms=100, gaps_ms=(900,), phase="warm_up"),
        Asked(at_s=1.5, first_ms=200, gaps_ms=(1000, 30), lag_ms=100),
        Asked(at_s=2.5, first_ms=10, gaps_ms=(20,), outcome="transport_error", cause="cut"),
        Asked(at_s=3.9, first_ms=50, gaps_ms=(100,)),
        Asked(at_s=3.5, first_ms=None, end_ms=400, outcome="timed_out", cause="client", streamed=False),
        Asked(at_s=0.1, first_ms=None, end_ms=4, streamed=False),
    ]
    found = stream_series.over_time(load_run(write_streamed(tmp_path / "run", requests, duration_s=4)), KEY, bins=4)
    assert found.count.tolist() == [0, 1, 0, 2]
    np.testing.assert_allclose(found.first_token.p50_ms, [np.nan, 300, np.nan, 225])
    np.testing.assert_allclose(found.first_token.max_ms, [np.nan, 300, np.nan, 400])
    np.testing.assert_allclose(found.gap.p50_ms, [np.nan, 515, np.nan, 100])
    assert found.tokens_per_s.tolist() == [1, 2, 4, 1]


def test_the_answers_that_are_shown_each_stand_for_something(tmp_path: Path) -> None:
    """The median, the slowest, the one with the longest gap, the first that ended early; times count from due."""
    requests = [
        *(Asked(at_s=1 + n, first_ms=50 + n, gaps_ms=(10, 10)) for n in range(9)),
        Asked(at_s=20, first_ms=80, gaps_ms=(10, 300, 10), lag_ms=5),
        Asked(at_s=21, first_ms=700, gaps_ms=(10,)),
        Asked(at_s=22, first_ms=40, gaps_ms=(7, 8), end_ms=3, outcome="transport_error", cause="cut"),
        Asked(at_s=23, first_ms=41, outcome="timed_out", cause="idle"),
        Asked(at_s=24, first_ms=None, end_ms=9000, outcome="timed_out", cause="client"),
    ]
    median, slowest, gap, early = stream_series.timelines(load_run(write_streamed(tmp_path / "run", requests)), KEY)
    assert [one.why for one in (median, slowest, gap, early)] == [
        "median first token",
        "slowest first token",
        "longest gap",
        "ended early",
    ]
    assert median.token_ms[0] == pytest.approx(55)
    assert slowest.token_ms.tolist() == pytest.approx([700, 710])
    assert (gap.due_s, gap.sent_ms, gap.token_ms.tolist()) == (20, 5, pytest.approx([85, 95, 395, 405]))
    assert early.ended == ("transport_error", "cut", 200)
    assert (early.token_ms.tolist(), early.done_ms) == (pytest.approx([40, 47, 55]), pytest.approx(58))


@pytest.mark.parametrize(
    ("requests", "shown"),
    [
        ([Asked(at_s=1, first_ms=50)], ["median first token"]),
        ([Asked(at_s=1, first_ms=None, end_ms=5, outcome="transport_error", cause="cut")], []),
        ([Asked(at_s=1, first_ms=9, outcome="transport_error", cause="cut")], ["ended early"]),
        ([Asked(at_s=1, first_ms=9, gaps_ms=(5,)), Asked(at_s=2, first_ms=8)], ["median first token"]),
    ],
)
def test_one_answer_is_shown_once(tmp_path: Path, requests: list[Asked], shown: list[str]) -> None:
    """It may be the median, the slowest and the one with the longest gap; one without a token is not shown."""
    run = load_run(write_streamed(tmp_path / "run", requests))
    assert [one.why for one in stream_series.timelines(run, KEY)] == shown
    assert int(stream_series.over_time(run, KEY).count.sum()) == len(requests) - sum(
        one.outcome != "ok" and one.first_ms is not None for one in requests
    )

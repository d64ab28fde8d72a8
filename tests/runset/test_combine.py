"""Figures between runs: their intervals hold, counts add up, and what one run cannot tell the set cannot."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import numpy as np
import pytest

from bench import schemas
from bench.analysis.summary import summarise
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.report.draw_runs import runs_plot
from bench.runreader import load_run
from bench.runset.combine import combine
from bench.runset.member import Member
from bench.runset.over_runs import between
from tests.analysis.synthetic import Side, write_run


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of one run, from which others are made."""
    sides = (
        Side("key", outcomes={"throttled": 0.02}),
        Side("aml_token", shift_ms=2.0, auth_failures={"refused": 0.01}),
    )
    path = write_run(tmp_path_factory.mktemp("one") / "20260101-000000-000-beef", sides=sides, duration_s=10)
    return summarise(load_run(path), deadlines_ms=(30.0,))


def run(summary: dict[str, Any], number: int, **figures: Any) -> Member:
    """A run like `summary`, with other figures of response_time.p50, of overhead.p50, or another trust."""
    made = copy.deepcopy(summary) | {"run_id": f"run-{number}"}
    if "p50" in figures:
        made["variants"]["key"]["response_time_ms"]["p50"] = figures["p50"]
    if "overhead" in figures:
        made["comparison"]["response_time_ms"]["p50"]["estimate"] = figures["overhead"]
    made["trust"] = {**made["trust"], "verdict": figures.get("trust", "TRUSTED"), "reasons": figures.get("reasons", [])}
    return Member(run_id=f"run-{number}", ended="completed", summary=made)


def combined(members: list[Member]) -> dict[str, Any]:
    return combine(members, set_id="set", asked=len(members), ended="completed")


def test_the_interval_is_between_runs_and_not_of_pooled_samples(summary: dict[str, Any]) -> None:
    found = combined([run(summary, n, p50=value) for n, value in enumerate((10.0, 12.0, 14.0))])
    interval = found["variants"]["key"]["response_time_ms_interval"]["p50"]
    assert found["variants"]["key"]["response_time_ms"]["p50"] == 12.0
    assert interval["low"] == pytest.approx(12 - 4.303 * 2 / 3**0.5, abs=0.01)


def test_differences_have_their_verdict_from_the_runs(summary: dict[str, Any]) -> None:
    """Each run for itself may be sure of a difference that the next one does not have."""
    alike = combined([run(summary, n, overhead=2 + n / 100) for n in range(3)])
    unlike = combined([run(summary, n, overhead=value) for n, value in enumerate((2.0, -2.0, 0.5))])
    assert alike["comparison"]["response_time_ms"]["p50"]["verdict"] == "WORSE"
    assert unlike["comparison"]["response_time_ms"]["p50"]["verdict"] == "INCONCLUSIVE"


def test_one_figure_of_a_table_that_is_sure_by_itself_only_has_no_verdict(summary: dict[str, Any]) -> None:
    """Between three runs: 1 ms with an interval of 0.5 ms to either side is WORSE alone, not as one of six or seven."""
    alike = copy.deepcopy(summary)
    for one in alike["comparison"]["response_time_ms"].values():
        one["estimate"] = 0.0
    found = combined([run(alike, n, overhead=value) for n, value in enumerate((1.1, 1.3, 1.5))])
    p50 = found["comparison"]["response_time_ms"]["p50"]
    assert p50["low"] > found["comparison"]["min_effect_ms"]
    assert p50["verdict"] == "INCONCLUSIVE"
    assert p50["why"].startswith("sure by itself, not as one of ")


def test_it_holds_the_mean_in_95_of_100_sets() -> None:
    sets = np.random.default_rng(3).normal(10, 2, (2000, 4))
    covers = [(found := between([float(value) for value in row])).low <= 10 <= found.high for row in sets]
    assert 0.935 < np.mean(covers) < 0.965


def test_counts_add_up_and_shares_keep_what_a_run_knows_of_itself(summary: dict[str, Any]) -> None:
    one, set_of_two = summary["variants"]["key"], combined([run(summary, 0), run(summary, 1)])["variants"]["key"]
    assert set_of_two["requests"] == 2 * one["requests"]
    assert set_of_two["outcomes"]["throttled"] == 2 * one["outcomes"]["throttled"]
    assert set_of_two["failures"][0]["count"] == 2 * one["failures"][0]["count"]
    assert set_of_two["within"]["30"]["requests"] == 2 * one["within"]["30"]["requests"]
    interval = set_of_two["error_rate_interval"]
    assert interval["low"] < set_of_two["error_rate"] < interval["high"]


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("response_time.p50 < 1s", "PASS"),
        ("response_time.p50 < 1ms", "FAIL"),
        ("within(30ms) >= 99.9%", "FAIL"),
        ("within(30ms) >= 10%", "PASS"),
        ("error_rate{outcome=throttled} <= 50%", "PASS"),
        ("error_rate{cause=no_lease} == 0", "PASS"),
        ("auth_failures{variant=aml_token} == 0", "FAIL"),
        ("overhead.p50 < 10ms", "PASS"),
        ("requests >= 100", "PASS"),
        ("dropped_arrivals == 0", "PASS"),
        ("achieved_rate >= 50%", "PASS"),
        ("response_time.p99.9 < 1s", "NO_DATA"),
    ],
)
def test_every_kind_of_gate_judges_a_set(expression: str, verdict: str, summary: dict[str, Any]) -> None:
    found = combined([run(summary, n) for n in range(3)])
    (result,) = evaluate([parse(expression)], found)
    assert result.verdict == verdict, result.sentence


def test_a_quantile_that_one_run_only_knows_from_below_is_known_from_below(summary: dict[str, Any]) -> None:
    censored = run(summary, 1)
    block = censored.summary["variants"]["key"]  # type: ignore[index]
    block["response_time_ms"]["p99"] = None
    block["response_time_ms_censored"] = {"p99": {"above": 1000.0}}
    found = combined([run(summary, 0), censored])["variants"]["key"]
    assert found["response_time_ms"]["p99"] is None
    assert 500 < found["response_time_ms_censored"]["p99"]["above"] < 1000


def test_a_run_that_cannot_be_believed_moves_no_figure(summary: dict[str, Any]) -> None:
    bad = run(summary, 2, p50=900.0, trust="INVALID", reasons=["the client was late"])
    found = combined([run(summary, 0, p50=10.0), run(summary, 1, p50=10.0), bad])
    assert found["variants"]["key"]["response_time_ms"]["p50"] == 10.0
    assert found["trust"]["verdict"] == "SUSPECT"
    assert found["runs"][2]["left_out"] == "INVALID: the client was late"


def test_a_line_has_the_run_s_own_intervals_and_differences(summary: dict[str, Any]) -> None:
    line = combined([run(summary, 0, p50=11.5), run(summary, 1, overhead=1.5)])["runs"][0]
    assert line["figures"]["key"]["response_time.p50"] == 11.5
    own = summary["variants"]["key"]["response_time_ms_interval"]["p50"]
    assert line["intervals"]["key"]["response_time.p50"] == {end: own[end] for end in ("low", "high")}
    assert line["differences"]["aml_token"]["response_time.p50"]["estimate"] == pytest.approx(2.0, abs=1.0)


def test_a_run_that_cannot_be_read_has_an_empty_line(summary: dict[str, Any]) -> None:
    bad = Member(run_id="run-2", unread="its manifest is cut")
    line = combined([run(summary, 0), run(summary, 1), bad])["runs"][2]
    assert (line["left_out"], line["figures"], line["intervals"], line["differences"]) == (
        "its manifest is cut",
        {},
        {},
        {},
    )


def marks(svg: str) -> int:
    return svg.count("<title>run-") + svg.count("<title>together")


def test_every_run_is_a_mark_left_out_or_not_and_one_without_figures_is_none(summary: dict[str, Any]) -> None:
    """Two figures of two variants and one difference each: six marks a run, and six of them together."""
    hostile = run(summary, 1, trust="INVALID", reasons=["<script>"])
    unread = Member(run_id="run-2", unread="its manifest is cut")
    plot = runs_plot(combined([run(summary, 0), hostile, run(summary, 3), unread]))
    assert plot is not None
    assert marks(plot.svg) == 6 * (3 + 1)
    assert "left out</title>" in plot.svg
    assert "<script>" not in plot.svg


def test_a_set_without_any_figure_has_no_plot(summary: dict[str, Any]) -> None:
    """All requests failed: no time is known."""
    empty = combined([run(summary, 0), run(summary, 1)])
    for block in empty["variants"].values():
        block["response_time_ms"] = dict.fromkeys(block["response_time_ms"])
    for line in empty["runs"]:
        line["figures"], line["differences"] = {}, {}
    for one in empty.get("comparisons", [empty["comparison"]]):
        one["response_time_ms"] = {}
    assert runs_plot(empty) is None


def test_no_figure_of_a_run_is_lost_or_taken_from_another(summary: dict[str, Any]) -> None:
    """Whichever number of whichever run is changed, the set's summary is another; and no run changes another's line."""
    plain = combined([run(summary, n) for n in range(3)])
    for variant in ("key", "aml_token"):
        for metric in ("response_time_ms", "service_time_ms", "schedule_lag_ms", "lease_wait_ms"):
            for statistic, value in summary["variants"][variant][metric].items():
                members = [run(summary, n) for n in range(3)]
                changed = members[1].summary["variants"][variant][metric]  # type: ignore[index]
                if value is None:
                    continue
                changed[statistic] = value + 3e6
                found = combined(members)
                grew = found["variants"][variant][metric][statistic] - plain["variants"][variant][metric][statistic]
                assert grew == pytest.approx(3e6 if statistic == "max" else 1e6, rel=1e-3), (variant, metric, statistic)
                assert [found["runs"][n] == plain["runs"][n] for n in (0, 2)] == [True, True]
                other = "key" if variant == "aml_token" else "aml_token"
                assert found["variants"][other] == plain["variants"][other]


COUNTED = [
    ("requests",),
    ("latency_samples",),
    ("outcomes", "ok"),
    ("auth_failures", "count"),
    ("refreshes", "count"),
    ("refreshes", "failures"),
]


@pytest.mark.parametrize("path", COUNTED, ids=".".join)
def test_every_count_is_a_sum_over_the_runs(path: tuple[str, ...], summary: dict[str, Any]) -> None:
    members = [run(summary, n) for n in range(3)]
    for member, more in zip(members, (0, 10, 100), strict=True):
        block = member.summary["variants"]["key"]  # type: ignore[index]
        for name in path[:-1]:
            block = block[name]
        block[path[-1]] = (block[path[-1]] or 0) + more
    found: Any = combined(members)["variants"]["key"]
    own: Any = summary["variants"]["key"]
    for name in path:
        found, own = found[name], own[name]
    assert found == 3 * (own or 0) + 110


def test_it_fits_its_schema(summary: dict[str, Any]) -> None:
    msgspec.convert(combined([run(summary, n) for n in range(3)]), schemas.SetSummary)


def test_conversations_are_counted_over_the_runs(summary: dict[str, Any]) -> None:
    """By how they ended; a set of runs without any has none."""
    members = [run(summary, number) for number in range(3)]
    assert "conversations" not in combined(members)["variants"]["key"]
    for member, ended in zip(members, ({"whole": 5}, {"whole": 2, "no_text": 1}, {}), strict=True):
        assert member.summary is not None
        member.summary["variants"]["key"]["conversations"] = {"count": sum(ended.values()), "ended": ended}
    found = combined(members)["variants"]["key"]["conversations"]
    assert found == {"count": 8, "ended": {"whole": 7, "no_text": 1}}

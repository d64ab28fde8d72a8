"""Sets of runs that streamed: one that did not, one without tokens, one whose gaps are gone; gates and the report."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import schemas
from bench.analysis.diff import summarise_diff
from bench.analysis.summary import summarise
from bench.comment.body import body
from bench.gates.arguments import Gates
from bench.gates.baseline import Baseline, save
from bench.gates.baseline import load as load_baseline
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.history.entry import as_entry
from bench.metrics import STREAM_DURATIONS
from bench.report import text
from bench.report.draw_runs import runs_plot
from bench.runreader import load_run
from bench.runset.combine import combine
from bench.runset.judge import finish_set
from bench.runset.member import Member
from bench.runset.precision import parse_precision
from tests.analysis.streamed import Asked, write_streamed
from tests.runset.sets import new_set

OBJECTIVES = ("time_to_first_token < 60ms", "inter_token_latency.p99 < 50ms")
OF_STREAMS = (
    "time_to_first_token.p50 < 1s",
    "inter_token_latency.p50 < 1s",
    "worst_inter_token_latency.max < 1s",
    "time_per_output_token.mean < 1s",
    "output_tokens >= 1",
    "output_token_throughput > 0/s",
    "output_token_throughput_per_user > 0/s",
)


def written(path: Path, *, pair: bool = False, number: int = 600, **words: Any) -> Path:
    """A run of `number` chats; with `pair` every other one is of an aml_token, 2 ms slower to its first token."""
    rng = np.random.default_rng(7)
    words = {"gaps_ms": (10, 12, 14)} | words
    requests = [
        Asked(
            at_s=60 * place / number,
            variant="aml_token" if pair and place % 2 else "key",
            **{"first_ms": 50 + (2 * (place % 2) if pair else 0) + float(rng.exponential(1)), **words},
        )
        for place in range(number)
    ]
    folder = write_streamed(path, requests, goodput=OBJECTIVES)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["plan"]["variants"].sort(key=lambda one: one["name"] != "key")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of one run with a key, from which others are made."""
    return summarise(load_run(written(tmp_path_factory.mktemp("chats") / "run")))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of one run that compares key and aml_token."""
    return summarise(load_run(written(tmp_path_factory.mktemp("pair") / "run", pair=True)))


def member(summary: dict[str, Any], number: int, *, later_ms: float = 0.0, trust: str = "TRUSTED") -> Member:
    """A run like `summary`, each figure of its streams `later_ms` more, its throughputs and shares that much in %."""
    made = copy.deepcopy(summary) | {"run_id": f"run-{number}"}
    made["trust"] |= {"verdict": trust, "reasons": [] if trust == "TRUSTED" else ["the client was late"]}
    for block in made["variants"].values():
        for metric in STREAM_DURATIONS:
            figures = block.get(f"{metric}_ms", {})
            figures |= {name: value + later_ms for name, value in figures.items() if value is not None}
        for key in ("throughput", "throughput_per_user"):
            if block.get("streams", {}).get(key) is not None:
                block["streams"][key] *= 1 + later_ms / 100
    for one in [made["comparison"]] if "comparison" in made else []:
        for name, found in one.get("time_to_first_token_ms", {}).items():
            one["time_to_first_token_ms"][name] = found | {"estimate": (found["estimate"] or 0) + later_ms}
    return Member(run_id=f"run-{number}", ended="completed", summary=made)


def combined(*members: Member) -> dict[str, Any]:
    return combine(members, set_id="set", asked=len(members), ended="completed")


def verdicts(summary: dict[str, Any], *expressions: str) -> dict[str, str]:
    return {each: str(evaluate([parse(each)], summary)[0].verdict) for each in expressions}


def plain(summary: dict[str, Any]) -> dict[str, Any]:
    """The same run, had its answers come whole."""
    found = copy.deepcopy(summary)
    for block in found["variants"].values():
        for key in [key for key in block if key == "streams" or "token" in key]:
            del block[key]
    for key in [key for key in found.get("comparison", {}) if "token" in key]:
        del found["comparison"][key]
    return found


def test_of_a_set_that_streamed_nothing_there_is_no_figure_and_never_0(chats: dict[str, Any]) -> None:
    found = combined(*(member(plain(chats), n) for n in range(3)))
    assert set(verdicts(found, *OF_STREAMS).values()) == {"NO_DATA"}
    assert not [key for key in found["variants"]["key"] if "token" in key or "stream" in key]


def test_one_run_that_did_not_stream_leaves_the_set_without_figures_and_is_named(chats: dict[str, Any]) -> None:
    """Those of the others would be of another target. Goodput is a share of all requests, and stays."""
    found = combined(member(chats, 0), member(plain(chats), 1), member(chats, 2))
    assert set(verdicts(found, *OF_STREAMS).values()) == {"NO_DATA"}
    (said,) = evaluate([parse("time_to_first_token.p50 < 1s")], found)
    assert "no answer of run-1 was streamed" in said.sentence
    assert "no answer of key was streamed in run-1: no figure of streams" in text.remarks(found)
    assert verdicts(found, "goodput >= 90%") == {"goodput >= 90%": "PASS"}
    schemas.decode(json.dumps(found).encode(), schemas.SetSummary)


def test_a_run_that_cannot_be_believed_may_have_streamed_or_not(chats: dict[str, Any]) -> None:
    """An INVALID member is left out with all that it has, and with all that it lacks."""
    alone = combined(member(chats, 0), member(chats, 2, later_ms=2))
    for odd in (member(plain(chats), 1, trust="INVALID"), member(chats, 1, later_ms=900, trust="INVALID")):
        found = combined(member(chats, 0), odd, member(chats, 2, later_ms=2))
        assert found["variants"] == alone["variants"]
        assert found["trust"]["verdict"] == "SUSPECT"


def test_a_member_without_tokens_is_slower_than_any(chats: dict[str, Any], tmp_path: Path) -> None:
    """Its answers began as streams and brought nothing: its first token is known from below, its gaps not at all."""
    silent = summarise(load_run(written(tmp_path / "silent", first_ms=None, gaps_ms=(), end_ms=70)))
    found = combined(member(chats, 0), member(silent, 1), member(chats, 2))
    block = found["variants"]["key"]
    assert block["time_to_first_token_ms"]["p50"] is None
    assert 50 < block["time_to_first_token_ms_censored"]["p50"]["above"] < 70
    judged = verdicts(
        found, "time_to_first_token.p50 < 1s", "time_to_first_token.p50 < 40ms", "inter_token_latency.p50 < 1s"
    )
    assert list(judged.values()) == ["NO_DATA", "FAIL", "NO_DATA"]
    assert "600 requests of key never had a first token: it counts as slower than any other" in text.remarks(found)


def test_a_run_whose_gaps_are_gone_knows_its_first_tokens_and_no_goodput(chats: dict[str, Any], tmp_path: Path) -> None:
    """Without them every answer would have kept an objective on gaps."""
    folder = written(tmp_path / "run")
    (folder / "chunks" / "w0.arrows").unlink()
    lost = summarise(load_run(folder))
    assert lost["trust"]["verdict"] == "SUSPECT"
    assert "gaps between tokens of 600 answers are lost" in lost["trust"]["reasons"][0]
    for found in (lost, combined(member(chats, 0), member(lost, 1), member(chats, 2))):
        judged = verdicts(
            found,
            *("time_to_first_token.p50 < 60ms", "time_per_output_token.p50 < 60ms", "output_tokens > 600"),
            *("inter_token_latency.p50 < 1s", "worst_inter_token_latency.max < 1s", "time_to_second_token.mean < 1s"),
            *("goodput >= 1%", "goodput <= 99%", "goodput_throughput > 0/s"),
        )
        assert [*judged.values()] == ["PASS"] * 3 + ["NO_DATA"] * 6, judged
        assert "the goodput of key is not known: the gaps of 600 answers are lost" in text.remarks(found)
    assert any("run run-1: chunks/w0.arrows is missing" in said for said in text.remarks(found))


def test_every_figure_has_its_interval_between_runs(chats: dict[str, Any]) -> None:
    """Student's over three runs that are 0, 1 and 2 ms, or percent, apart."""
    found = combined(*(member(chats, n, later_ms=n) for n in range(3)))["variants"]["key"]
    own, half = chats["variants"]["key"], 4.303 / 3**0.5
    for metric in STREAM_DURATIONS:
        assert found[f"{metric}_ms"]["p50"] == pytest.approx(own[f"{metric}_ms"]["p50"] + 1)
        interval = found[f"{metric}_ms_interval"]["p50"]
        assert (interval["high"] - interval["low"]) / 2 == pytest.approx(half, rel=1e-3)
    for key in ("throughput", "throughput_per_user"):
        interval = found["streams"][f"{key}_interval"]
        assert (interval["high"] - interval["low"]) / 2 == pytest.approx(own["streams"][key] * half / 100, rel=1e-3)
    assert found["streams"]["output_tokens"] == 3 * own["streams"]["output_tokens"]
    assert found["streams"]["requests"]["inter_token_latency"] == 1800
    assert found["streams"]["lengths"] == own["streams"]["lengths"]
    goodput = found["goodput"]
    assert goodput["requests"] == 3 * own["goodput"]["requests"]
    assert goodput["low"] <= goodput["rate"] <= goodput["high"]


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("time_to_first_token.p50 < 500ms", "PASS"),
        ("time_to_first_token.p50 < 10ms", "FAIL"),
        ("time_to_first_token.p50 < 51ms", "INCONCLUSIVE"),
        ("inter_token_latency.p90 < 5ms", "FAIL"),
        ("inter_token_latency.p99.9 < 1s", "NO_DATA"),
        ("worst_inter_token_latency.max <= 16ms", "PASS"),
        ("output_tokens == 7200", "PASS"),
        ("output_token_throughput >= 10/s", "PASS"),
        ("output_token_throughput >= 40.7/s", "INCONCLUSIVE"),
        ("output_token_throughput >= 400/s", "FAIL"),
        ("goodput >= 95%", "PASS"),
        ("goodput <= 10%", "FAIL"),
        ("goodput_throughput >= 100/s", "FAIL"),
        ("time_to_first_token.p50{class=chat} < 1s", "NO_DATA"),
    ],
)
def test_every_kind_of_gate_on_streams_judges_a_set(chats: dict[str, Any], expression: str, verdict: str) -> None:
    found = combined(*(member(chats, n, later_ms=n) for n in range(3)))
    (result,) = evaluate([parse(expression)], found)
    assert result.verdict == verdict, result.sentence


def test_a_difference_has_its_verdict_from_the_runs(pair: dict[str, Any]) -> None:
    """2 ms on the first token in every run is found; what comes and goes from run to run is not."""
    alike = combined(*(member(pair, n, later_ms=n / 100) for n in range(3)))
    unlike = combined(*(member(pair, n, later_ms=value) for n, value in enumerate((0.0, -4.0, 2.0))))
    assert alike["comparison"]["time_to_first_token_ms"]["p50"]["verdict"] == "WORSE"
    assert unlike["comparison"]["time_to_first_token_ms"]["p50"]["verdict"] == "INCONCLUSIVE"
    assert alike["comparison"]["inter_token_latency_ms"]["p50"]["verdict"] == "EQUIVALENT"
    judged = verdicts(alike, "time_to_first_token_overhead.p50 < 1ms", "time_to_first_token_overhead.p50 < 4ms")
    assert list(judged.values()) == ["FAIL", "PASS"]
    line = alike["runs"][0]["differences"]["aml_token"]["time_to_first_token.p50"]
    assert line["estimate"] == pair["comparison"]["time_to_first_token_ms"]["p50"]["estimate"]


def test_no_overhead_of_the_first_token_where_a_run_had_none(pair: dict[str, Any]) -> None:
    found = combined(member(pair, 0), member(plain(pair), 1), member(pair, 2))
    (result,) = evaluate([parse("time_to_first_token_overhead.p50 < 1s")], found)
    assert (result.verdict, "not both variants streamed" in result.sentence) == ("NO_DATA", True)


@pytest.mark.parametrize(
    ("until", "far", "near"),
    [
        ("time_to_first_token.p50 +- 1ms", 3.0, 0.1),
        ("inter_token_latency.p50 +- 1ms", 3.0, 0.1),
        ("output_token_throughput +- 1/s", 10.0, 0.1),
    ],
)
def test_until_a_figure_of_streams_is_known_well(chats: dict[str, Any], until: str, far: float, near: float) -> None:
    precision = parse_precision(until)
    wide, narrow = (combined(*(member(chats, n, later_ms=n * step) for n in range(6))) for step in (far, near))
    assert not precision.reached(wide, runs=6)
    assert precision.reached(narrow, runs=6)
    assert not precision.reached(combined(*(member(plain(chats), n) for n in range(6))), runs=6)


def test_until_goodput_is_known_well(chats: dict[str, Any]) -> None:
    found = combined(*(member(chats, n) for n in range(5)))
    assert parse_precision("goodput +- 10%").reached(found, runs=5)
    assert not parse_precision("goodput +- 0.001%").reached(found, runs=5)


def test_a_baseline_and_a_line_of_history_of_a_set(chats: dict[str, Any], tmp_path: Path) -> None:
    found = combined(*(member(chats, n, later_ms=n) for n in range(3)))
    manifest = json.loads((written(tmp_path / "run", number=20) / "manifest.json").read_text())
    save(found, manifest, name="main", folder=tmp_path, more=[(found, manifest)] * 2)
    baseline: Baseline = load_baseline("main", tmp_path)
    slower = combined(*(member(chats, n, later_ms=20 + n) for n in range(3)))
    gates = (
        "time_to_first_token.p50 < baseline + 5ms",
        "output_token_throughput > baseline - 50%",
        "goodput >= baseline - 1%",
    )
    assert [result.verdict for result in evaluate([parse(each) for each in gates], slower, baseline)] == [
        *("FAIL", "PASS", "PASS")
    ]
    line = as_entry(found, manifest, at="20260101-000000", commit="", branch="").figures["key"]
    interval = found["variants"]["key"]["time_to_first_token_ms_interval"]["p50"]
    assert line["time_to_first_token.p50"][1:] == (interval["low"], interval["high"])
    assert line["goodput"][0] == found["variants"]["key"]["goodput"]["rate"]
    assert None not in line["output_token_throughput"]
    assert not [
        key for key in as_entry(plain(chats), manifest, at="", commit="", branch="").figures["key"] if "token" in key
    ]


def test_lengths_and_conversations_of_a_set(chats: dict[str, Any]) -> None:
    """The least and the most are those of all runs; counts add up; what one run does not know the set does not."""
    lengths = {"least": 3, "p50": 10.0, "mean": 11.0, "p99": 20.0, "most": 24}
    members = [member(chats, number) for number in range(3)]
    for number, one in enumerate(members):
        block = one.summary["variants"]["key"]  # type: ignore[index]
        more = {name: value + number for name, value in lengths.items()}
        block["streams"]["lengths"] = {"output_tokens": more} | ({"prompt_tokens": more} if number else {})
        block["conversations"] = {"count": 5, "ended": {"whole": 4, "turn_failed": 1}}
    found = combined(*members)["variants"]["key"]
    together = {"least": 3, "p50": 11.0, "mean": 12.0, "p99": 21.0, "most": 26}
    assert found["streams"]["lengths"] == {"output_tokens": together}
    assert found["conversations"] == {"count": 15, "ended": {"whole": 12, "turn_failed": 3}}


def test_a_diff_of_runs_that_streamed_with_one_that_did_not_says_so(tmp_path: Path) -> None:
    """Response times are compared all the same; of first tokens nothing is."""
    streamed = [load_run(written(tmp_path / f"a{number}", number=120)) for number in range(2)]
    whole = [load_run(written(tmp_path / "b", number=120, streamed=False, first_ms=None, gaps_ms=(), end_ms=80))]
    found = summarise_diff(streamed, whole)
    assert "what was streamed is not the same: key in the baseline, none in the candidate" in found["differences"]
    assert not [key for key in found["comparisons"][0] if "token" in key]
    assert summarise_diff(streamed, streamed[:1])["comparisons"][0]["time_to_first_token_ms"]["p50"]["estimate"] == 0


def test_the_set_s_page_shows_first_tokens_run_by_run(tmp_path: Path) -> None:
    """From the samples of real files: the report, its plot, the markdown and the comment."""
    folder = new_set(tmp_path, runs=3)
    for number in range(3):
        written(folder.runs / f"20260101-00000{number}-000-beef", pair=True, number=300)
    assert (
        finish_set(folder.path, gates=Gates((parse("time_to_first_token.p50 < 500ms"),)), code=0) == 4
    )  # nothing recorded how the set ended
    page = folder.files.report.read_text()
    assert "first token p50, ms" in page
    assert "first token of aml_token less key at p50, ms" in page
    assert "<caption>Streamed answers</caption>" in page
    summary = json.loads(folder.files.summary.read_text())
    assert "time to first token" in folder.files.summary_md.read_text()
    assert "time to first token p50, ms" in body(summary, [], key="k")
    plot = runs_plot(summary)
    assert plot is not None
    assert plot.svg.count("<title>together") == 12

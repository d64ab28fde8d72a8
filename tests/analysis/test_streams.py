"""Streamed answers: what counts, against counting by hand; what a damaged file leaves; intervals that know clusters."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench.analysis import own_intervals, streams
from bench.analysis.other_tools import figures
from bench.analysis.summary import summarise
from bench.commands import report
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.result import GateVerdict
from bench.plan.objectives import parse_objectives
from bench.report import text
from bench.report.build import write_report
from bench.runreader import load_run
from bench.sample import COLUMNS, Outcome
from tests.analysis.run_files import write_batches
from tests.analysis.streamed import Asked, write_streamed
from tests.analysis.synthetic import Side, write_run

KEY = "key"


def spread(number: int, **words: Any) -> list[Asked]:
    return [Asked(at_s=60 * place / number, **words) for place in range(number)]


def test_what_counts(tmp_path: Path) -> None:
    """Times to tokens are those of answers that ended well; who never had a first token is slower than any of them."""
    requests = [
        Asked(at_s=1, first_ms=50, gaps_ms=(10, 30, 20), lag_ms=5, tokens=7),
        Asked(at_s=2, first_ms=70, gaps_ms=(40,)),
        Asked(at_s=3, first_ms=90),
        Asked(at_s=4, first_ms=1, gaps_ms=(900,), outcome="transport_error", cause="cut"),
        Asked(at_s=5, first_ms=2, outcome="timed_out", cause="idle"),
        Asked(at_s=6, first_ms=3, gaps_ms=(1,), outcome="model_error", cause="stream"),
        Asked(at_s=7, first_ms=None, end_ms=8, outcome="transport_error", cause="cut"),
        Asked(at_s=8, first_ms=None, end_ms=1000, outcome="timed_out", cause="client", streamed=False),
        Asked(at_s=9, first_ms=None, end_ms=2, outcome="throttled", cause="rate", streamed=False),
        Asked(at_s=10, first_ms=None, end_ms=4, streamed=False),
        Asked(at_s=0.5, first_ms=4, gaps_ms=(5,), phase="warm_up"),
    ]
    run = load_run(write_streamed(tmp_path / "run", requests))
    assert run.problems == ()
    first = streams.fold_stream(run, "time_to_first_token", KEY)
    assert first.answers is not None
    assert first.answers.ordered_ns.tolist() == [55_000_000, 70_000_000, 90_000_000]
    assert first.censored == 2
    assert first.quantile_ms(0.5) == 90
    assert math.isinf(first.quantile_ms(0.9))
    assert first.least_ms(1.0) == 1000
    sent = streams.fold_stream(run, "service_time_to_first_token", KEY)
    assert sent.answers is not None
    assert sent.answers.ordered_ns.tolist() == [50_000_000, 70_000_000, 90_000_000]

    def values_ms(metric: str) -> list[float]:
        return [value / 1e6 for value in streams.fold_stream(run, metric, KEY).ordered_ns.tolist()]

    assert values_ms("inter_token_latency") == [10, 20, 30, 40]
    assert values_ms("time_to_second_token") == [10, 40]
    assert values_ms("worst_inter_token_latency") == [30, 40]
    assert values_ms("time_per_output_token") == [10, 40]  # 60 ms over 6 tokens after the first
    found = streams.tokens(run, KEY)
    assert (found.answers, found.whole, found.tokenless, found.plain) == (7, 3, 2, 1)
    assert (found.output_tokens, found.content_events, found.tokens_from) == (10, 7, {"usage": 1, "events": 2})
    assert found.per_event == pytest.approx(7 / 4)
    assert found.throughput == pytest.approx(10 / 60)
    assert found.throughput_per_user == pytest.approx(7 / 0.1)


def test_good_requests(tmp_path: Path) -> None:
    """Each objective by itself and all together; quantiles are over a request's own gaps; a failed one is not good."""
    requests = [
        Asked(at_s=1, first_ms=50, gaps_ms=(10,) * 99 + (200,)),
        Asked(at_s=2, first_ms=50, gaps_ms=(30, 30)),
        Asked(at_s=3, first_ms=500, gaps_ms=(10, 10)),
        Asked(at_s=4, first_ms=50),
        Asked(at_s=5, first_ms=50, gaps_ms=(10,), lag_ms=400),
        Asked(at_s=6, first_ms=50, gaps_ms=(10,), outcome="model_error", cause="stream"),
        Asked(at_s=7, first_ms=None, streamed=False, end_ms=10),
        Asked(at_s=8, first_ms=None, end_ms=10),
    ]
    run = load_run(write_streamed(tmp_path / "run", requests))

    def good(*objectives: str) -> int:
        share = streams.good(run, KEY, parse_objectives(objectives))
        assert share.n == len(requests)
        return int(share.hits.sum())

    assert good("time_to_first_token < 50ms") == 0
    assert good("time_to_first_token <= 50ms") == 3
    assert good("service_time_to_first_token <= 50ms") == 4
    assert good("inter_token_latency.p50 < 20ms") == 4
    assert good("inter_token_latency.max < 20ms") == 3
    assert good("inter_token_latency.p99 < 20ms") == 4
    assert good("inter_token_latency.p99.9 < 20ms") == 3
    assert good("inter_token_latency.mean < 12ms") == 4
    assert good("time_to_second_token < 20ms") == 4
    assert good("time_per_output_token < 20ms") == 4
    assert good("response_time < 1s") == 6
    assert good("time_to_first_token < 100ms", "inter_token_latency.p50 < 20ms", "response_time < 1s") == 1


def test_a_summary_and_its_gates(tmp_path: Path) -> None:
    """Every metric of streams can be gated; of a run that streamed nothing they have no data, and no figure."""
    run = load_run(
        write_streamed(
            tmp_path / "run",
            [*spread(600, gaps_ms=(10, 12, 14)), *spread(6, first_ms=None, outcome="transport_error", cause="cut")],
            goodput=("time_to_first_token < 60ms",),
        )
    )
    summary = summarise(run)
    kept = [
        "time_to_first_token.p50 < 51ms",
        "inter_token_latency.p90 <= 14ms",
        "worst_inter_token_latency.max <= 14ms",
        "time_per_output_token.mean < 13ms",
        "goodput >= 95%",
        "goodput_throughput >= 9/s",
        "output_tokens == 2400",
        "output_token_throughput >= 40/s",
        "output_token_throughput_per_user >= 80/s",
    ]
    results = evaluate([parse(gate) for gate in kept], summary)
    assert [result.verdict for result in results] == [GateVerdict.PASS] * len(kept), [r.sentence for r in results]
    broken = ["time_to_first_token.p50 < 49ms", "goodput >= 99.9%", "inter_token_latency.p50 < 5ms"]
    results = evaluate([parse(gate) for gate in broken], summary)
    assert GateVerdict.PASS not in {result.verdict for result in results}
    # one in a hundred never had a first token: p99.9 is not known, and passes nothing
    (result,) = evaluate([parse("time_to_first_token.p99.9 < 10s")], summary)
    assert result.verdict is GateVerdict.NO_DATA
    plain = summarise(load_run(write_run(tmp_path / "plain", sides=(Side("key"),), rate=50, duration_s=10, workers=1)))
    assert not [name for name in plain["variants"]["key"] if "token" in name or name in {"streams", "goodput"}]
    assert {result.verdict for result in evaluate([parse(gate) for gate in kept], plain)} == {GateVerdict.NO_DATA}


def test_what_other_tools_would_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: two requests of 3 and 5 tokens; one that failed is left out, and lag is in none of their figures."""
    requests = [
        Asked(at_s=1, first_ms=50, gaps_ms=(10, 30), tokens=3, lag_ms=7),
        Asked(at_s=2, first_ms=150, gaps_ms=(20, 20, 20, 40), tokens=5),
        Asked(at_s=3, first_ms=1, gaps_ms=(1, 1), outcome="transport_error", cause="cut"),
    ]
    folder = write_streamed(tmp_path / "run", requests)
    run = load_run(folder)
    aiperf, guidellm, vllm = (figures(run, KEY, tool) for tool in ("aiperf", "guidellm", "vllm"))
    assert aiperf["Time to First Token"] == guidellm["TTFT"] == vllm["TTFT"]
    assert vllm["TTFT"]["mean"] == vllm["TTFT"]["p50"] == 100
    assert aiperf["Time to Second Token"]["mean"] == 15
    assert aiperf["Inter Token Latency"]["p50"] == vllm["TPOT"]["p50"] == (20 + 25) / 2
    assert guidellm["ITL"]["mean"] == pytest.approx((2 * 20 + 4 * 25) / 6)
    assert guidellm["ITL"]["p50"] == 25
    assert guidellm["TPOT"]["mean"] == pytest.approx((90 + 250) / 8)
    assert vllm["ITL"]["mean"] == pytest.approx(140 / 6)
    assert vllm["ITL"]["p50"] == 20
    assert vllm["E2EL"]["mean"] == (90 + 250) / 2
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    assert report.run(parser.parse_args([str(folder), "--as", "vllm"])) == 0
    assert "E2EL" in capsys.readouterr().out
    assert not (folder / "summary.json").exists()
    plain = load_run(write_run(tmp_path / "plain", sides=(Side("key"),), rate=50, duration_s=10, workers=1))
    assert all(
        math.isnan(value) for statistics in figures(plain, KEY, "vllm").values() for value in statistics.values()
    )


def test_what_a_reader_must_know(tmp_path: Path) -> None:
    """Said beside the figures: who had no token, what was no stream, several tokens an event, which were counted."""
    requests = [
        *spread(40, gaps_ms=(10, 10), tokens=9),
        *spread(10, gaps_ms=(10, 10)),
        *spread(3, first_ms=None),
        *spread(2, first_ms=None, streamed=False),
    ]
    said = " / ".join(text.remarks(summarise(load_run(write_streamed(tmp_path / "run", requests)))))
    assert "3 requests of key never had a first token" in said
    assert "2 answers of key came whole" in said
    assert "brought 3 tokens on average" in said
    assert "the tokens of 13 answers of key are events" in said


def test_gaps_of_a_request_hang_together(tmp_path: Path) -> None:
    """300 requests of 40 gaps, each slow or fast as a whole: the interval is that of 300, and not of 12,000."""
    rng = np.random.default_rng(4)
    held = 0
    widths = []
    for trial in range(20):
        requests = [
            Asked(at_s=60 * place / 300, gaps_ms=tuple(rng.normal(10, 2) + rng.exponential(0.1, 40)))
            for place in range(300)
        ]
        run = load_run(write_streamed(tmp_path / f"run{trial}", requests))
        found = own_intervals.own_interval(streams.fold_stream(run, "inter_token_latency", KEY), None)
        held += found.low <= 10.1 <= found.high
        widths.append(found.high - found.low)
    assert held >= 16
    of_requests = 2 * 1.96 * 2 / math.sqrt(300)
    assert 0.7 * of_requests < np.median(widths) < 1.6 * of_requests


def test_key_against_token(tmp_path: Path) -> None:
    """2 ms on the first token and none on the gaps: found, and gated as an overhead."""
    rng = np.random.default_rng(5)
    requests = [
        Asked(
            at_s=60 * place / 1200,
            variant=(KEY, "aml_token")[place % 2],
            first_ms=50 + 2 * (place % 2) + rng.exponential(2),
            gaps_ms=tuple(10 + rng.exponential(1, 8)),
        )
        for place in range(1200)
    ]
    folder = write_streamed(tmp_path / "run", requests)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["plan"]["variants"] = sorted(manifest["plan"]["variants"], key=lambda one: one["name"] != KEY)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = load_run(folder)
    summary = summarise(run)
    found = summary["comparison"]["time_to_first_token_ms"]["p50"]
    assert (found["verdict"], found["estimate"]) == ("WORSE", pytest.approx(2, abs=0.6))
    assert summary["comparison"]["inter_token_latency_ms"]["p50"]["verdict"] == "EQUIVALENT"
    (broken,) = evaluate([parse("time_to_first_token_overhead.p50 < 1ms")], summary)
    (kept,) = evaluate([parse("time_to_first_token_overhead.p50 < 4ms")], summary)
    assert (broken.verdict, kept.verdict) == (GateVerdict.FAIL, GateVerdict.PASS)
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert "Tokens of streamed answers" in page
    assert "time to first token" in (folder / "summary.md").read_text()
    assert "aml_token costs" in text.one_line(summary)
    assert "at p50 of time to first token" in text.one_line(summary)


def test_a_damaged_or_foreign_file_of_gaps(tmp_path: Path) -> None:
    """What is cut off, of another run, or gone is reported; the samples' own times still count."""
    requests = spread(50, gaps_ms=(10, 12))
    folder = write_streamed(tmp_path / "run", requests)
    other = write_streamed(tmp_path / "other", requests)
    file = folder / "chunks" / "w0.arrows"
    whole = file.read_bytes()
    for content, said in (
        (whole[:-40], "chunks/w0.arrows"),
        ((other / "chunks" / "w0.arrows").read_bytes(), "is of run other"),
        (b"", "chunks/w0.arrows"),
        ((folder / "samples" / "w0.arrows").read_bytes(), "chunks/w0.arrows"),
    ):
        file.write_bytes(content)
        run = load_run(folder)
        assert [problem for problem in run.problems if said in problem], run.problems
        assert streams.fold_stream(run, "time_to_first_token", KEY).n == 50
        assert len(run.gaps) == 0
    file.unlink()
    run = load_run(folder)
    assert "chunks/w0.arrows is missing" in run.problems[0]
    assert streams.fold_stream(run, "time_to_first_token", KEY).n == 50
    file.write_bytes(whole)
    assert len(load_run(folder).gaps) == 100


def test_a_run_of_an_older_version(tmp_path: Path) -> None:
    """Its samples have no columns of tokens: nothing is missed, and nothing is invented."""
    folder = write_run(tmp_path / "old", sides=(Side("key"),), rate=50, duration_s=10, workers=1)
    file = folder / "samples" / "w0.arrows"
    names = [name for name, _ in COLUMNS[:21]]
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as old:
        facts = {key: value for key, value in old.schema.metadata.items() if key != b"format"}
        batches = [batch.select(names).replace_schema_metadata(facts) for batch in old]
    write_batches(file, batches)
    run = load_run(folder)
    assert run.problems == ()
    assert len(run.gaps) == 0
    assert not streams.are_there(run, KEY)
    assert len(run.samples.first_token_ns) == len(run.samples)
    assert not run.samples.where("tokens_from", "usage", "events").any()
    assert run.samples.where("outcome", Outcome.OK).any()


def _of_classes(path: Path, **words: Any) -> dict[str, Any]:
    """Chats and summaries of a text that stream, at 50 and 400 ms to the first token, and embeddings that do not."""
    requests = [
        *spread(300, first_ms=50, gaps_ms=(10, 10), request_class="chat"),
        *spread(200, first_ms=400, gaps_ms=(30,), request_class="summary"),
        *spread(100, first_ms=None, streamed=False, request_class="embedding"),
    ]
    return summarise(load_run(write_streamed(path, requests, **words)))


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of three classes with an objective on the first token."""
    return _of_classes(tmp_path_factory.mktemp("classes") / "run", goodput=("time_to_first_token < 200ms",))


@pytest.mark.parametrize(
    ("gate", "verdict", "said"),
    [
        ("time_to_first_token.p50{class=chat} < 100ms", "PASS", "time_to_first_token.p50{class=chat} of key"),
        ("time_to_first_token.p50{class=summary} < 100ms", "FAIL", "is 400 ms"),
        ("inter_token_latency.p50{class=summary} < 20ms", "FAIL", "is 30 ms"),
        ("output_tokens{class=chat} == 900", "PASS", "meets"),
        ("output_token_throughput{variant=key, class=summary} > 5/s", "PASS", "meets"),
        ("goodput{class=chat} >= 95%", "PASS", "meets"),
        ("goodput{class=summary} >= 95%", "FAIL", "breaks"),
        ("goodput_throughput{class=summary} >= 1/s", "FAIL", "breaks"),
        ("time_to_first_token.p99{class=embedding} < 100ms", "NO_DATA", "no answer was streamed"),
        ("output_tokens{class=embedding} == 0", "NO_DATA", "no answer was streamed"),
        ("time_to_first_token.p99{class=vision} < 100ms", "NO_DATA", "no request was of that class; there were: chat"),
    ],
)
def test_a_gate_on_streams_can_be_of_a_class(of_classes: dict[str, Any], gate: str, verdict: str, said: str) -> None:
    """The figure is that class's own; what did not stream has none, and passes nothing."""
    [result] = evaluate([parse(gate)], of_classes)
    assert (result.verdict, said in result.sentence) == (verdict, True), result.sentence


def test_a_gate_on_goodput_says_what_was_not_asked_for(tmp_path: Path) -> None:
    """Without an objective there is no goodput, of a class or of all, and it is not 100 %."""
    gates = [parse(text) for text in ("goodput >= 95%", "goodput{class=chat} >= 95%", "goodput_throughput > 0/s")]
    for result in evaluate(gates, _of_classes(tmp_path / "run")):
        assert (result.verdict, result.sentence.endswith("the run had no --goodput to keep")) == ("NO_DATA", True)

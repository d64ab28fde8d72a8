"""`bench export otlp`: what a collector gets of a stored run, decoded by OpenTelemetry's own messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import cli
from bench.runreader import load_run
from bench.trace_context import TraceContext
from tests.analysis.synthetic import Side, write_run
from tests.otlp.receiver import Receiver, attributes, receiving

from bench.otlp.figures import DURATION, FIRST_CHUNK  # isort: skip - skipped without the library
from bench.otlp.messages import BOUNDS_S  # isort: skip

RUN_ID = "20260101-000000-000-beef"
SECRET = "hunter2"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """With failures, a variant whose URI had a secret in its query, and no credential for some requests."""
    sides = (Side("key", outcomes={"server_error": 0.02}), Side("aml_token", auth_failures={"no_lease": 0.02}))
    path = write_run(tmp_path / RUN_ID, sides=sides, rate=200, duration_s=6, warm_up_s=1, workers=2, trace_share=0.25)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["variants"]["key"]["scoring_uri"] = f"https://host.example:8443/score?code={SECRET}"
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def export(*words: str) -> int:
    return cli._run(["export", "otlp", *words])


def test_spans_and_figures(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The spans are those of the sampled requests under the ids that were sent; the figures are of all of them."""
    monkeypatch.setenv("BENCH_KEY", SECRET)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with receiving(Receiver()) as receiver:
        assert export(str(run), "--otlp-endpoint", receiver.url, "--every", "2s") == 0
    loaded = load_run(run)
    samples = loaded.samples
    contexts = [TraceContext(RUN_ID, worker, share=0.25) for worker in samples.words["worker"]]
    ids = {
        contexts[worker].trace_id(number): row
        for row, (worker, number, generation) in enumerate(
            zip(samples.worker.tolist(), samples.sequence.tolist(), samples.generation.tolist(), strict=True)
        )
        if generation and contexts[worker].is_sampled(number)
    }
    assert {span.trace_id.hex() for span in receiver.spans} == ids.keys()
    assert f"sent {len(ids)} spans" in capsys.readouterr().out
    wall_ns = loaded.manifest["clock"]["wall_ns"]
    for span in receiver.spans:
        row, sent_attributes = ids[span.trace_id.hex()], attributes(span)
        assert span.start_time_unix_nano == wall_ns + samples.sent_ns[row]
        assert span.end_time_unix_nano == wall_ns + samples.done_ns[row]
        assert span.kind == span.SPAN_KIND_CLIENT
        assert span.name == sent_attributes["http.request.method"] == "POST"
        assert sent_attributes["http.response.status_code"] == samples.status[row]
        assert (sent_attributes.get("error.type") is None) == (sent_attributes["bench.outcome"] == "ok")
        assert sent_attributes["bench.response_time_ms"] == pytest.approx(
            (samples.done_ns - samples.intended_ns)[row] / 1e6
        )
        if sent_attributes["bench.variant"] == "key":
            assert sent_attributes["url.full"] == "https://host.example:8443/score"
            assert (sent_attributes["server.address"], sent_attributes["server.port"]) == ("host.example", 8443)
    resource = attributes(receiver.traces[0].resource_spans[0].resource)
    assert resource["bench.run_id"] == resource["service.instance.id"] == RUN_ID
    assert SECRET.encode() not in b"".join(receiver.raw)

    last = receiver.points("http.client.request.duration")[-1]
    sent = samples.generation > 0
    assert sum(point.count for point in last) == sent.sum()
    took_s = (samples.done_ns - samples.sent_ns)[sent] / 1e9
    assert sum(point.sum for point in last) == pytest.approx(took_s.sum())
    buckets = np.sum([point.bucket_counts for point in last], axis=0)
    assert buckets.tolist() == np.bincount(np.searchsorted(BOUNDS_S, took_s), minlength=len(BOUNDS_S) + 1).tolist()
    requests = receiver.points("bench.requests")
    totals = [sum(point.as_int for point in message) for message in requests]
    assert totals == sorted(totals)
    assert totals[-1] == len(samples)
    assert {attributes(point).get("bench.cause") for point in requests[-1]} >= {"no_lease"}


def test_names_are_those_of_the_conventions() -> None:
    """They are not imported, for that part of the library may change; so they are compared."""
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
    from opentelemetry.semconv.metrics import http_metrics

    assert DURATION.name == http_metrics.HTTP_CLIENT_REQUEST_DURATION
    assert FIRST_CHUNK.name == gen_ai_metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK


def test_a_share_of_its_own(run: Path) -> None:
    """Also of a run that sent no `traceparent`; 0 sends figures only."""
    with receiving(Receiver()) as receiver:
        assert export(str(run), "--otlp-endpoint", receiver.url, "--traces", "0", "--every", "60s") == 0
    assert receiver.spans == []
    assert len(receiver.metrics) == 1


def test_a_system_that_takes_traces_only(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to name a place for what is not sent."""
    with receiving(Receiver()) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
        assert export(str(run), "--only", "traces") == 0
        assert "figures at 0 times" in capsys.readouterr().out
        assert receiver.spans
        assert receiver.metrics == []
        before = len(receiver.traces)
        assert export(str(run), "--only", "metrics", "--otlp-endpoint", receiver.url) == 0
    assert receiver.metrics
    assert len(receiver.traces) == before


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [((400, {}), 1, "answered 400"), ((307, {"Location": "http://127.0.0.1:9/"}), 1, "redirect")],
)
def test_a_collector_that_does_not_take_it(
    answer: tuple[int, dict[str, str]], code: int, says: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 1, and the run is as it was."""
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with receiving(Receiver(answers=[answer])) as receiver:
        assert export(str(run), "--otlp-endpoint", receiver.url) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_what_the_collector_rejects_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says 200, and keeps less than it got."""
    with receiving(Receiver(rejects=2)) as receiver:
        assert export(str(run), "--otlp-endpoint", receiver.url) == 1
    assert "rejected" in capsys.readouterr().err


def test_a_damaged_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is sound is sent, the rest is named, and the exit code is that of a run that is not whole."""
    file = run / "samples" / "w1.arrows"
    file.write_bytes(file.read_bytes()[:-2000])
    with receiving(Receiver()) as receiver:
        assert export(str(run), "--otlp-endpoint", receiver.url) == 4
    assert "samples/w1.arrows" in capsys.readouterr().err
    assert receiver.spans


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["no-such-run", "--otlp-endpoint", "http://127.0.0.1:9"], 2),
        (["RUN", "--otlp-endpoint", "nowhere"], 2),
        (["RUN", "--otlp-endpoint", "http://127.0.0.1:9", "--traces", "2"], 2),
        (["RUN", "--otlp-endpoint", "http://127.0.0.1:9", "--every", "0"], 2),
        (["RUN"], 2),
    ],
)
def test_mistakes(words: list[str], code: int, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent."""
    assert export(*[str(run) if word == "RUN" else word for word in words]) == code
    assert capsys.readouterr().err.startswith("error: ")

"""Live figures to a collector: one that is away, hangs or refuses does not hurt the run."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.run_plan import RunPlan, Variant
from bench.runreader import load_run
from tests.e2e.command import LOCUSTFILES, UNDRAWN, bench, start_and_wait
from tests.live.test_prometheus_protobuf import Master, seen
from tests.otlp.receiver import Receiver, attributes, receiving
from tests.security.searching import found_in

from bench.live.otlp_export import INSTRUMENTS, Export  # isort: skip - skipped without the library

SECRET = "hunter2"
TIMES_MS = [1.0, 8.0, 8.0, 30.0, 600.0, 20_000.0]


class Running(Master):
    """A master whose run has come so far."""

    def __init__(self) -> None:
        super().__init__(seen(TIMES_MS, tokens=12))
        uri = f"https://host.example/score?code={SECRET}"
        self.plan = RunPlan(
            target="scoring_uri", variants=(Variant(name="key", auth_mode=AuthMode.KEY, scoring_uri=uri),)
        )
        self.board.begin("20260101-000000-000-beef", self.plan)
        self.board.tick(5.0, self.now, asked_rate=1.0)


def test_figures_that_prometheus_is_shown_too() -> None:
    """Under the conventions' name where there is one; every message has the whole run so far, the last one its end."""
    master = Running()
    with receiving(Receiver()) as receiver, closing(Export(receiver.url, master)) as export:
        export.send()
        master.board.end(6.0, "completed")
        export.send()
        export.send()
    assert len(receiver.metrics) == 2
    duration, again = (points[0] for points in receiver.points("http.client.request.duration"))
    labels = attributes(duration)
    assert (labels["bench.variant"], labels["server.address"], labels["server.port"]) == ("key", "host.example", 443)
    assert duration.count == sum(duration.bucket_counts) == len(TIMES_MS)
    assert [duration.bucket_counts[place] for place in (0, 1, 3, 8, 14)] == [1, 2, 1, 1, 1]
    assert duration.sum == pytest.approx(sum(TIMES_MS) / 1e3, rel=0.01)
    assert duration.start_time_unix_nano == again.start_time_unix_nano < duration.time_unix_nano
    kinds = {attributes(point)["bench.outcome"]: point.as_int for point in receiver.points("bench.requests")[0]}
    assert kinds == {"ok": 6, "timed_out": 2}
    assert receiver.points("bench.time_to_first_token")[0][0].count == len(TIMES_MS)
    assert SECRET.encode() not in b"".join(receiver.raw)
    resource = attributes(receiver.metrics[0].resource_metrics[0].resource)
    assert resource["bench.run_id"] == master.board.run_id


def test_one_that_refuses_is_reported_once_and_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures are cumulative: the next message has what the lost one had."""
    with (
        receiving(Receiver(answers=[(400, {}), (400, {})])) as receiver,
        closing(Export(receiver.url, Running())) as export,
    ):
        export.send()
        export.send()
        assert capsys.readouterr().err.count("live figures are not taken") == 1
        export.send()
        assert len(receiver.metrics) == 1


def test_before_the_first_run_nothing_is_sent() -> None:
    master = Running()
    master.board.run_id, master.board.state = "", "ready"
    with receiving(Receiver()) as receiver, closing(Export(receiver.url, master)) as export:
        export.send()
    assert receiver.raw == []


def test_every_series_has_a_name_of_its_own() -> None:
    names = [one.name for one in INSTRUMENTS.values()]
    assert len(set(names)) == len(names)
    assert {one.unit for one in INSTRUMENTS.values() if one.kind == "histogram"} == {"s"}


def test_without_the_library_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(UsageError, match="not installed"):
        Export("http://127.0.0.1:9", Running())


@pytest.mark.slow
@pytest.mark.parametrize("hangs", [False, True])
def test_a_run(hangs: bool, tmp_path: Path) -> None:
    """The last word comes before the process ends; a collector that hangs changes nothing of the run."""
    receiver = Receiver(drip=threading.Event() if hangs else None)
    with receiving(receiver):
        load = ("--arrival-rate", "20", "--duration", "2s", "--warm-up", "0", "--otlp-endpoint", receiver.url)
        done = bench("run", "--emulator", *load, "--traceparent", "50%", cwd=tmp_path, **UNDRAWN)
    assert done.code in {0, 4}, done  # 4: a busy machine was late
    manifest = json.loads((tmp_path / done.run / "manifest.json").read_text())
    assert manifest["ended"]["reason"] == "completed"
    assert receiver.raw
    if not hangs:
        last = receiver.points("http.client.request.duration")[-1]
        assert 20 <= sum(point.count for point in last) <= 40  # the last second may be missing, as on the live page
        assert "Slow requests to look up" in (tmp_path / done.run / "report.html").read_text()


def test_what_is_no_collector_ends_before_the_run(tmp_path: Path) -> None:
    done = bench("run", "--emulator", "--otlp-endpoint", f"http://me:{SECRET}@host:4318", cwd=tmp_path)
    assert done.code == 2
    assert "OTEL_EXPORTER_OTLP_HEADERS" in done.err
    assert SECRET not in done.err + done.out
    assert not list(tmp_path.glob("results/*"))


@pytest.mark.slow
def test_locusts_own_export_beside_ours_does_no_harm(tmp_path: Path) -> None:
    """`--otel`: both tell of the run, no request is lost for it, and no secret is in what either sends."""
    with receiving(Receiver()) as receiver:
        words = ["-f", str(LOCUSTFILES / "key_vs_token.py"), "--emulator", "--headless", "--otel"]
        words += ["--otlp-endpoint", receiver.url, "--arrival-rate", "50", "--duration", "3s", "--warm-up", "0s"]
        done = start_and_wait(
            [sys.executable, "-m", "locust", *words],
            cwd=tmp_path,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_LOGS_EXPORTER="none",
        )
    assert "OpenTelemetry enabled" in done.err
    assert "Traceback" not in done.out + done.err
    (run,) = tmp_path.glob("results/*")
    assert len(load_run(run).samples) == 150
    assert sum(point.count for point in receiver.points("locust.client.duration")[-1]) == 150
    assert sum(point.count for point in receiver.points("http.client.request.duration")[-1]) > 100  # up to a second ago
    assert not found_in(b"".join(receiver.raw), ())

"""What Prometheus sees of a run: a port that is taken, its own checker, a real server that scrapes a real run."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.live.board import Board
from bench.live.prometheus import SERIES, LiveCollector, serve
from bench.live.view import NOTHING, View
from tests.e2e.command import REPOSITORY, clean_environment
from tests.emulator.process import until

GUIDE = REPOSITORY / "docs" / "guides" / "prometheus.md"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Nobody:
    """A master without a run."""

    board = Board()

    def view(self) -> View:
        return NOTHING


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be had"):
            serve(taken.getsockname()[1], Nobody())


def test_before_the_first_run_there_are_the_families_without_values() -> None:
    assert {family.name for family in LiveCollector(Nobody()).collect()} == {
        series.name.removesuffix("_total") for series in SERIES
    }


def test_the_guide_lists_every_series() -> None:
    """And none that is not there."""
    rows = [
        line.split("|")[1].strip().strip("`") for line in GUIDE.read_text().splitlines() if line.startswith("| `bench_")
    ]
    assert rows == [series.name for series in SERIES]


@contextmanager
def running(cwd: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    words = ("--emulator", "--arrival-rate", "100", "--duration", "0", "--prometheus-port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "compare", *words], cwd=cwd, env=clean_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=300)


def text_of(url: str) -> str:
    try:
        with _OPENER.open(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.skipif(not shutil.which("prometheus"), reason="needs Debian's prometheus, with promtool")
@pytest.mark.slow
def test_a_real_prometheus_scrapes_a_real_run(tmp_path: Path) -> None:
    """promtool finds nothing to complain of, and the server answers with the run's rate and quantile."""
    port, own = free_port(), free_port()
    with running(tmp_path, port) as run:
        until(
            lambda: run.poll() is not None or "bench_running 1.0" in text_of(f"http://127.0.0.1:{port}/metrics"),
            within_s=90,
        )
        until(lambda: 'outcome="ok"' in text_of(f"http://127.0.0.1:{port}/metrics"), within_s=60)
        exposed = text_of(f"http://127.0.0.1:{port}/metrics")
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=exposed, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
        scrape = {"job_name": "bench", "scrape_interval": "500ms", "scrape_timeout": "400ms"}
        targets = [{"targets": [f"127.0.0.1:{port}"]}]
        (tmp_path / "prometheus.yml").write_text(
            json.dumps({"scrape_configs": [{**scrape, "static_configs": targets}]})
        )
        server = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
             f"--web.listen-address=127.0.0.1:{own}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            query = "histogram_quantile(0.5, sum by (variant, le) (rate(bench_response_time_seconds_bucket[5s])))"
            url = f"http://127.0.0.1:{own}/api/v1/query?query={urllib.parse.quote(query)}"

            def p50s() -> dict[str, float]:
                answer = text_of(url)
                found = json.loads(answer)["data"]["result"] if answer else []
                return {one["metric"]["variant"]: float(one["value"][1]) for one in found}

            until(lambda: {name for name, value in p50s().items() if value > 0} == {"key", "aml_token"}, within_s=90)
        finally:
            server.terminate()
            server.wait(timeout=300)

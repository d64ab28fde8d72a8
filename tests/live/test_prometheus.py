"""What Prometheus sees of a run: a port that is taken, its own checker, a real server that scrapes a real run."""

from __future__ import annotations

import json
import re
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
import yaml

from bench.errors import UsageError
from bench.live.board import Board
from bench.live.prometheus import LiveCollector, serve
from bench.live.prometheus_series import SERIES
from bench.live.view import NOTHING, View
from tests.e2e.command import REPOSITORY, clean_environment
from tests.emulator.process import until

RULES = REPOSITORY / "docs" / "prometheus"
EN_DASH = "\N{EN DASH}"
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
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("| `bench_")]
    assert rows == [
        f"| `{series.name}` | {series.kind} | {', '.join(series.labels) or EN_DASH} | {series.help} |"
        for series in SERIES
    ]


def queries() -> dict[str, str]:
    """Of the alert rules and of the dashboard: the query, and the text that names its labels."""
    panels = json.loads((RULES / "dashboard.json").read_text())["panels"]
    found = {target["expr"]: target["legendFormat"] for panel in panels for target in panel["targets"]}
    for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]:
        found |= {rule["expr"]: rule["annotations"]["summary"] for rule in group["rules"]}
    return found


def test_rules_and_dashboard_ask_for_series_that_are_there() -> None:
    """And for labels that these have."""
    labels = {series.name: set(series.labels) for series in SERIES}
    for query, text in queries().items():
        names = {name.removesuffix("_bucket") for name in re.findall(r"bench_\w+", query)}
        assert names, query
        assert names <= labels.keys(), query
        asked = set(re.findall(r"{{(?: \$labels\.)?(\w+) ?}}", text)) | set(re.findall(r"[{,](\w+)[!=]", query))
        for by in re.findall(r"by \(([^)]*)\)", query):
            asked |= {word.strip() for word in by.split(",")} - {"le"}
        assert asked <= set.union(*(labels[name] for name in names)), query


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's prometheus, with promtool")
def test_promtool_can_read_rules_and_dashboard(tmp_path: Path) -> None:
    asked = [query.replace("$__rate_interval", "1m") for query in queries()]
    recorded = [{"record": f"q{number}", "expr": query} for number, query in enumerate(asked)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": recorded}]}))
    command = ["promtool", "check", "rules", str(RULES / "alerts.yml"), str(tmp_path / "queries.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


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
        with _OPENER.open(url, timeout=120) as answer:
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
            within_s=300,
        )
        until(lambda: 'outcome="ok"' in text_of(f"http://127.0.0.1:{port}/metrics"), within_s=300)
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

            until(lambda: {name for name, value in p50s().items() if value > 0} == {"key", "aml_token"}, within_s=300)
        finally:
            server.terminate()
            server.wait(timeout=300)

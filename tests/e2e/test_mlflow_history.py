"""A history on MLflow's own tracking server: what is added is read back, by `bench` and by MLflow's client."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.history.mlflow import experiment
from bench.history.mlflow.address import address
from bench.history.mlflow.experiment import MlflowExperiment
from bench.history.mlflow.server import TrackingServer
from bench.schemas.history import HistoryEntry
from tests.e2e.command import bench
from tests.e2e.model_servers import tracking
from tests.history.test_history import figures, unchanged
from tests.history.test_ledger import entry
from tests.load.wire.real_server import environment

pytestmark = pytest.mark.slow

_SEEN_BY_MLFLOW = """
import json, sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
runs = mlflow.search_runs(experiment_names=[sys.argv[2]], output_format="list")
client = mlflow.MlflowClient()
print(json.dumps([
    {
        "name": run.info.run_name,
        "status": run.info.status,
        "metrics": run.data.metrics,
        "params": run.data.params,
        "commit": run.data.tags.get("mlflow.source.git.commit"),
        "files": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        "report": client.download_artifacts(run.info.run_id, "report.html", "."),
    }
    for run in runs
]))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking(tmp_path_factory.mktemp("tracking")) as found:
        yield found


def at(base: str, name: str) -> MlflowExperiment:
    return MlflowExperiment(name, TrackingServer(address({"MLFLOW_TRACKING_URI": base})))


def seen_by_mlflow(base: str, name: str, folder: Path) -> list[dict[str, Any]]:
    """What the team sees with the library they have."""
    command = [str(environment("mlflow") / "bin" / "python"), "-c", _SEEN_BY_MLFLOW, base, name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_run_of_load_is_seen_in_mlflow_and_read_back(base: str, tmp_path: Path) -> None:
    """`bench run --history`, `add` again, `show`; then MLflow's client: status, figures, commit, the report itself."""
    where = {"MLFLOW_TRACKING_URI": base}
    load = ("--emulator", "--arrival-rate", "50", "--duration", "2s", "--warm-up", "0")
    done = bench("run", *load, "--history", "mlflow:a run of load", cwd=tmp_path, **where, GITHUB_SHA="c0ffee")
    assert "added to the experiment a run of load at 127.0.0.1" in done.out + done.err, done
    again = bench("history", "add", str(done.run), "--history", "mlflow:a run of load", cwd=tmp_path, **where)
    assert (again.code, again.out) == (0, f"there already: {done.run}\n")
    shown = bench("history", "show", "--history", "mlflow:a run of load", cwd=tmp_path, **where)
    assert "response_time.p50{variant=key}" in shown.out, shown

    (seen,) = seen_by_mlflow(base, "a run of load", tmp_path)
    measured = done.summary_at(tmp_path)["variants"]["key"]
    assert (seen["name"], seen["status"], seen["commit"]) == (done.run.name, "FINISHED", "c0ffee")
    assert seen["metrics"]["key/response_time.p99"] == pytest.approx(measured["response_time_ms"]["p99"])
    assert seen["files"] == ["report.html", "summary.json"]
    assert (tmp_path / seen["report"]).read_bytes() == (tmp_path / done.run / "report.html").read_bytes()


def test_sixty_runs_with_a_shift_are_judged_from_there(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 10 and the commit, as from a folder; with the pages of a list as this server makes them."""
    there, p50s = at(base, "sixty"), unchanged(60)
    p50s[52:] = [value * 1.12 for value in p50s[52:]]
    for day, p50 in enumerate(p50s):
        run_id = f"202601{day // 24 + 1:02d}-{day % 24:02d}0000-000-aaaa"
        there.add(entry(run_id, figures=figures(p50), commit=f"c{day:039d}"), run=tmp_path)
    words = ("history", "changes", "--gate", "--history", "mlflow:sixty")
    done = bench(*words, cwd=tmp_path, MLFLOW_TRACKING_URI=base)
    assert done.code == 10, done
    assert f"commit c{52:039d}"[:19] in done.out
    monkeypatch.setattr(experiment, "_PER_PAGE", 25)
    runs, problems = there.read()
    assert [run.commit for run in runs] == [f"c{day:039d}" for day in range(60)]
    assert problems == ()


def test_two_jobs_that_add_the_same_run_at_once(base: str, tmp_path: Path) -> None:
    """Neither fails, whoever makes the experiment; who reads sees one."""
    outcomes: list[BenchError | None] = []

    def job() -> None:
        try:
            at(base, "at once").add(entry(), run=tmp_path)
            outcomes.append(None)
        except BenchError as exc:
            outcomes.append(exc)

    jobs = [threading.Thread(target=job) for _ in range(4)]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join(300)
    assert outcomes == [None] * 4
    assert at(base, "at once").read() == ((entry(),), ())


def test_a_line_of_many_variants_and_odd_names_is_taken_whole(base: str, tmp_path: Path) -> None:
    """Blanks at the edges of pieces, letters beyond ASCII, more than one tag holds."""
    odd: HistoryEntry = entry(
        figures={f"blue: é {n}" + " " * 40: entry().figures["key"] for n in range(50)}, branch=" main "
    )
    at(base, "odd names").add(odd, run=tmp_path)
    assert at(base, "odd names").read() == ((odd,), ())


def test_a_run_that_is_left_half_way_or_deleted_there_does_not_count(base: str, tmp_path: Path) -> None:
    there = at(base, "half way")
    there._keep = _killed  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        there.add(entry(), run=tmp_path)
    assert at(base, "half way").read() == ((), ())
    assert at(base, "half way").add(entry(), run=tmp_path).new
    runs = _asked(base, "runs/search", experiment_ids=[at(base, "half way")._id()])["runs"]
    assert sorted(run["info"]["status"] for run in runs) == ["FINISHED", "RUNNING"]
    for run in runs:
        _asked(base, "runs/delete", run_id=run["info"]["run_id"])
    assert at(base, "half way").read() == ((), ())


def _killed(*_: Any) -> None:
    raise SystemExit


def _asked(base: str, what: str, **content: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{base}/api/2.0/mlflow/{what}",
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())

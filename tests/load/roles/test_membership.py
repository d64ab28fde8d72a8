"""Workers and masters that come late or fall silent in the middle of a run."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace
from tests.emulator.process import emulator as emulator_with
from tests.load.roles.processes import KEY, await_that, free_port, has_begun, locust, run_folder, token_calls
from tests.security.searching import found_in

pytestmark = pytest.mark.soak


def _addresses(port: int) -> tuple[list[str], list[str]]:
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--headless"]
    return master, ["--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]


def _samples(run: Path, worker: str) -> list[dict[str, Any]]:
    with pa.OSFile(str(run / "samples" / f"{worker}.arrows")) as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all().to_pylist()


@pytest.mark.parametrize(
    ("load", "takes_part"), [(["--users", "6"], True), (["--users", "6", "--arrival-rate", "100"], False)]
)
def test_a_late_worker_gets_the_current_lease(
    load: list[str], takes_part: bool, emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """A worker that joins mid-run costs no fetch: it has the master's lease at once, and in the closed model users.

    The arrivals of an open model were dealt before it came; it says so by sending none.
    """
    before = token_calls(emulator["log"])
    master, worker = _addresses(free_port())
    target = ["--endpoint", emulator["endpoints"]["aml_token"], *workspace]
    until = ["--expect-workers", "2", "--duration", "8s", "--warm-up", "0s", *load]
    folder_file = str(tmp_path / "run-folder")
    with ExitStack() as stack:
        key = {"BENCH_RELAY_KEY": KEY, **emulator["env"]}
        master = stack.enter_context(locust([*master, *target, *until], tmp_path, BENCH_RUN_FILE=folder_file, **key))
        for _ in range(2):
            stack.enter_context(locust(worker, tmp_path, **key))
        await_that(lambda: master.poll() is not None or has_begun(tmp_path))
        late = stack.enter_context(locust(worker, tmp_path, **key))
        out = master.communicate(timeout=300)[0]
        said = late.communicate(timeout=300)[0]
    assert "Traceback" not in out + said
    assert "fetches its own" not in said
    assert token_calls(emulator["log"]) - before == 1
    run = run_folder(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["workers"] == ["w0", "w1", "w2"]
    assert manifest["ended"]["reason"] == "completed"
    end = json.loads((run / "health" / "w2.jsonl").read_text().splitlines()[-1])
    assert end["end"]
    assert (end["recorded"] > 20) is takes_part
    assert {row["outcome"] for row in _samples(run, "w2")} == ({"ok"} if takes_part else set())
    if not takes_part:
        due = [row["intended_ns"] for name in ("w0", "w1") for row in _samples(run, name)]
        assert len(set(due)) == 800, "moving users to the late worker cost arrivals"


def test_a_silent_master_costs_nothing(tmp_path: Path) -> None:
    """Stopped over a refresh, for longer than the three seconds after which workers fetch for themselves.

    No request fails or waits, each worker says what it does, and says so again when the master is back, which then
    ends the run as if nothing had happened.
    """
    master, worker = _addresses(free_port())
    with emulator_with("--token-life", "14s", "--refresh-after", "4s") as running, ExitStack() as stack:
        key = {"BENCH_RELAY_KEY": KEY, "BENCH_RUN_FILE": str(tmp_path / "run-folder"), **running.said["env"]}
        place = running.said["workspace"]
        target = [f"--subscription-id={place['subscription_id']}", f"--resource-group={place['resource_group']}"]
        target += [f"--workspace={place['workspace_name']}", "--endpoint", "ep-aml-token", "--expect-workers", "2"]
        load = ["--users", "6", "--arrival-rate", "100", "--duration", "14s", "--warm-up", "0s"]
        master = stack.enter_context(locust([*master, *target, *load], tmp_path, **key))
        workers = [stack.enter_context(locust(worker, tmp_path, **key)) for _ in range(2)]
        await_that(lambda: master.poll() is not None or has_begun(tmp_path))
        master.send_signal(signal.SIGSTOP)
        before = token_calls(running.said["log"])  # one, or two where the machine was slow to begin
        await_that(lambda: token_calls(running.said["log"]) >= before + 2, within_s=14)
        master.send_signal(signal.SIGCONT)
        out = master.communicate(timeout=300)[0]
        said = [process.communicate(timeout=300)[0] for process in workers]
    assert "Traceback" not in out
    for text in said:
        assert "no word from the master; this worker fetches its own" in text
        assert "the master is back" in text
        assert not found_in(text.encode(), ())
    run = run_folder(tmp_path)
    rows = [row for name in ("w0", "w1") for row in _samples(run, name)]
    assert len(rows) == 1400
    assert {row["outcome"] for row in rows} == {"ok"}
    assert max(row["sent_ns"] - row["began_ns"] for row in rows) < 1e9, "somebody waited for a credential"

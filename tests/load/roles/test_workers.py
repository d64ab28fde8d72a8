"""Master and workers started separately: one flight for all, sealed leases, and what the death of one costs."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.runreader import load_run
from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace
from tests.load.roles.processes import KEY, Wire, await_that, free_port, locust, run_folder, token_calls
from tests.security.searching import found_in


def _run(
    emulator: dict[str, Any],
    workspace: list[str],
    cwd: Path,
    *,
    worker_keys: tuple[str, ...],
    kill_one_after_s: float = 0.0,
) -> tuple[Path, list[str], bytes]:
    """A master and its workers behind a wire; the run's folder, the workers' output, and what went over the wire."""
    port = free_port()
    wire = Wire(port)
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--headless"]
    target = ["--endpoint", emulator["endpoints"]["aml_token"], *workspace]
    load = [
        "--expect-workers",
        str(len(worker_keys)),
        "--users",
        "9",
        "--arrival-rate",
        "150",
        "--duration",
        "5s",
        "--warm-up",
        "0s",
    ]
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(wire.port)]
    with ExitStack() as stack:
        master = stack.enter_context(locust([*master, *target, *load], cwd, BENCH_RELAY_KEY=KEY, **emulator["env"]))
        workers = [
            stack.enter_context(locust(worker, cwd, **({"BENCH_RELAY_KEY": key} if key else {}), **emulator["env"]))
            for key in worker_keys
        ]
        if kill_one_after_s:
            await_that(lambda: list(cwd.glob("results/*/health/w2.jsonl")))
            os.kill(workers[0].pid, signal.SIGKILL)
        out = master.communicate(timeout=300)[0]
        said = [process.communicate(timeout=300)[0] for process in workers]
    wire.close()
    assert "Traceback" not in out, out
    return run_folder(cwd), said, bytes(wire.seen)


@pytest.mark.slow
def test_one_flight_for_all_and_no_secret_on_the_wire(
    emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """Three workers with the master's key cause one fetch between them; their leases are sealed."""
    before = token_calls(emulator["log"])
    run, said, seen = _run(emulator, workspace, tmp_path, worker_keys=(KEY, KEY, KEY))
    assert token_calls(emulator["log"]) - before == 1
    summary = json.loads((run / "summary.json").read_text())
    assert summary["variants"]["aml_token"]["outcomes"] == {"ok": 750}
    assert len(list((run / "samples").glob("*.arrows"))) == 3
    assert b"bench_relay" in seen
    assert not found_in(seen, ())  # nothing like a token
    assert not [text for text in said if "fetches its own" in text]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "this worker has none"),
        pytest.param("another-relay-key-of-thirty-two-characters", "sealed with another", marks=pytest.mark.soak),
    ],
)
@pytest.mark.slow
def test_without_the_masters_key_a_worker_takes_no_part(
    key: str, says: str, emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """It is refused by name, says why itself, costs no fetch, and the other sends every arrival."""
    before = token_calls(emulator["log"])
    run, said, seen = _run(emulator, workspace, tmp_path, worker_keys=(KEY, key))
    assert token_calls(emulator["log"]) - before == 1
    assert json.loads((run / "summary.json").read_text())["variants"]["aml_token"]["outcomes"] == {"ok": 750}
    assert ["takes no part" in text for text in said] == [False, True]
    assert says in said[1]
    manifest = json.loads((run / "manifest.json").read_text())
    (loss,) = manifest["lost"]
    assert "refused" in loss["why"]
    assert load_run(run).problems == ()
    assert manifest["ended"]["reason"] == "completed"
    assert emulator["endpoints"]["aml_token"].encode() not in seen
    assert not found_in(seen, ())


@pytest.mark.soak
def test_a_worker_that_dies_is_named(emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
    """The others send what it had not begun; what it had begun and not written is counted."""
    run, _, _ = _run(emulator, workspace, tmp_path, worker_keys=(KEY, KEY, KEY), kill_one_after_s=1)
    summary = json.loads((run / "summary.json").read_text())
    manifest = json.loads((run / "manifest.json").read_text())
    (loss,) = manifest["lost"]
    assert loss["taken_over"]
    assert loss["why"] in {"its process died", "it fell silent", "it left"}
    assert 600 <= summary["variants"]["aml_token"]["requests"] <= 750
    assert 750 - summary["variants"]["aml_token"]["requests"] <= manifest["lost_samples"]
    assert manifest["ended"]["reason"] == "completed" if manifest["lost_samples"] == 0 else "lost"
    assert any(f"worker {loss['worker']} was lost" in str(reason) for reason in summary["trust"]["reasons"])

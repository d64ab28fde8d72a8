"""Workers that Locust forks: they know the master's relay key, and nothing else of the master's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.command import clean_environment
from tests.load.roles.processes import Wire, await_that, free_port, has_begun, locust, run_folder, token_calls
from tests.security.searching import found_in

WORKERS = 4


@dataclass
class Forked:
    """A run of four forked workers, looked at while it went on."""

    said: str
    run: Path
    token_calls: int
    wire: bytes
    identity_header: str
    pipes_of_agents: set[str]
    pipes_of_workers: set[str]
    agents: int


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Forked:
    cwd = tmp_path_factory.mktemp("forked")
    port = free_port()
    wire = Wire(port)
    master = [f"--master-bind-host=127.0.0.1 --master-bind-port={port}", f"--master-port={wire.port}"]
    words = ["--headless", "--processes", str(WORKERS), "--users", "12", *" ".join(master).split()]
    words += ["--emulator", f"--emulator-options=--log {cwd / 'calls.jsonl'}"]
    words += ["--arrival-rate", "200", "--duration", "3s", "--warm-up", "0s"]
    with locust(words, cwd, BENCH_RUN_FILE=str(cwd / "run-folder")) as process:
        await_that(lambda: process.poll() is not None or has_begun(cwd))
        children = _children(process.pid)
        agents = [pid for pid in children if "bench.credentials.agent" in _argv(pid)]
        workers = [pid for pid in children if "locust" in _argv(pid)]
        assert len(workers) == WORKERS
        agents += [child for pid in workers for child in _children(pid)]
        environ = Path(f"/proc/{agents[0]}/environ").read_text()
        header = next(line for line in environ.split("\0") if line.startswith("IDENTITY_HEADER=")).partition("=")[2]
        of_agents = {pipe for pid in agents for pipe in _pipes(pid)}
        of_workers = {pipe for pid in workers for pipe in _pipes(pid)}
        said = process.communicate(timeout=300)[0]
    wire.close()
    return Forked(
        said=said,
        run=run_folder(cwd),
        token_calls=token_calls(str(cwd / "calls.jsonl")),
        wire=bytes(wire.seen),
        identity_header=header,
        pipes_of_agents=of_agents,
        pipes_of_workers=of_workers,
        agents=len(agents),
    )


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _argv(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _pipes(pid: int) -> set[str]:
    """The pipes a process holds, by their names in the kernel; without that of its stderr, which all share."""
    names = {fd.name: str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    return {name for name in names.values() if name.startswith("pipe:") and name != names["2"]}


def test_one_flight_for_all(forked: Forked) -> None:
    """The emulator was asked for one token; every arrival of the four shares went well."""
    assert forked.token_calls == 1, forked.said
    flights = [json.loads(line) for line in (forked.run / "flights.jsonl").read_text().splitlines()]
    assert [flight["cause"] for flight in flights] == ["initial"]
    ends = [json.loads(path.read_text().splitlines()[-1]) for path in forked.run.glob("health/*.jsonl")]
    assert [end["recorded"] for end in ends] == [600 // WORKERS] * WORKERS
    assert sum(end["unwritten"] + end["dropped_arrivals"] for end in ends) == 0


def test_forks_never_share_agent_pipes(forked: Forked) -> None:
    """One agent, the master's; no worker holds an end of its pipes, so none can take its replies away."""
    assert forked.agents == 1
    assert len(forked.pipes_of_agents) == 2  # its stdin and stdout
    assert not forked.pipes_of_agents & forked.pipes_of_workers


def test_nothing_on_the_wire_is_a_secret(forked: Forked) -> None:
    """Leases are sealed, and so is what proves to be the emulator's managed identity."""
    assert b"bench_order" in forked.wire
    assert b"bench_relay" in forked.wire
    assert len(forked.identity_header) > 20
    assert not found_in(forked.wire, (forked.identity_header,))


@pytest.mark.soak
def test_two_runs_on_one_host_do_not_meet(tmp_path: Path) -> None:
    """Each command's workers find their own master, though nobody named a port."""
    words = ["--emulator", "--processes", "2", "--arrival-rate", "100", "--duration", "3s", "--warm-up", "0s"]
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        runs.append(
            subprocess.Popen(
                [sys.executable, "-m", "bench", "run", *words],
                cwd=tmp_path / name,
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
    said = [run.communicate(timeout=300)[0] for run in runs]
    for name, run, text in zip(("one", "two"), runs, said, strict=True):
        assert run.returncode in {0, 4}, text
        health = [path.read_text().splitlines()[-1] for path in (run_folder(tmp_path / name) / "health").iterdir()]
        assert [json.loads(end)["written"] for end in health] == [150, 150], text

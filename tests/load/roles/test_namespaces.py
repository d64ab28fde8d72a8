"""A worker on another host, as near as one machine comes to that: in a network namespace of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.runreader import load_run
from tests.e2e.command import clean_environment
from tests.emulator.process import EmulatorProcess
from tests.emulator.process import emulator as emulator_with
from tests.load.roles.processes import KEY, Wire, free_port, locust, run_folder, token_calls
from tests.security.searching import found_in

pytestmark = pytest.mark.soak

FORWARD = """
import socket, sys, threading
near, port, far = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    sink.close()
listener = socket.create_server((near, port))
print("listening", flush=True)
while True:
    here, _ = listener.accept()
    there = socket.create_connection((far, port))
    for pair in ((here, there), (there, here)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""
"""The emulator serves loopback only; this carries one of its ports from one namespace's loopback to the other's."""


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: ip {' '.join(words)}: {done.stderr.strip()}")


@dataclass
class Elsewhere:
    """A namespace joined to ours by a cable: `ours` and `theirs` are its two ends."""

    name: str
    ours: str
    theirs: str

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def without(self, folder: Path) -> tuple[str, ...]:
        """The same, with a disk on which that folder is empty."""
        return (*self.prefix, "unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {folder} && exec "$@"', "sh")


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name, net = f"bench-{secrets.token_hex(3)}", secrets.randbelow(200) + 20
    there = Elsewhere(name, f"10.213.{net}.1", f"10.213.{net}.2")
    _ip("netns", "add", name)
    try:
        _ip("link", "add", f"{name}-a", "type", "veth", "peer", "name", f"{name}-b", "netns", name)
        _ip("addr", "add", f"{there.ours}/30", "dev", f"{name}-a")
        _ip("link", "set", f"{name}-a", "up")
        _ip("-n", name, "addr", "add", f"{there.theirs}/30", "dev", f"{name}-b")
        for device in ("lo", f"{name}-b"):
            _ip("-n", name, "link", "set", device, "up")
        yield there
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@contextmanager
def _carried(running: EmulatorProcess, there: Elsewhere) -> Iterator[None]:
    """The emulator's ports, at the same addresses in the other namespace."""
    env = running.said["env"]
    uris = (running.said["scoring_uri"]["aml_token"], env["AZUREML_DEV_URL_MFE"], env["IDENTITY_ENDPOINT"])
    with ExitStack() as stack:
        for port in {str(urlsplit(uri).port) for uri in uris}:
            ends = [[there.ours, port, "127.0.0.1"], ["127.0.0.1", port, there.ours]]
            for prefix, words in zip(((), there.prefix), ends, strict=True):
                process = subprocess.Popen(
                    [*prefix, sys.executable, "-c", FORWARD, *words], stdout=subprocess.PIPE, env=clean_environment()
                )
                stack.callback(process.wait)
                stack.callback(process.kill)
                assert process.stdout is not None
                assert process.stdout.readline()
        yield


@pytest.mark.parametrize(
    ("key", "fetches"),
    [(KEY, 1), ("", 2)],
    ids=["the same key", "no key"],
)
def test_a_worker_on_another_host(key: str, fetches: int, elsewhere: Elsewhere, tmp_path: Path) -> None:
    """With the master's key it shares its leases; without any, its own options and sign-in count. Nothing leaks."""
    port = free_port()
    wire = Wire(port, host=elsewhere.ours)
    with emulator_with() as running, _carried(running, elsewhere), ExitStack() as stack:
        env, place = running.said["env"], running.said["workspace"]
        words = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--headless"]
        target = [f"--subscription-id={place['subscription_id']}", f"--resource-group={place['resource_group']}"]
        target += [f"--workspace={place['workspace_name']}", "--endpoint", "ep-aml-token"]
        words += [*target, "--expect-workers", "2"]
        words += ["--users", "6", "--arrival-rate", "100", "--duration", "4s", "--warm-up", "0s"]
        shared = {"BENCH_RELAY_KEY": key} if key else {}
        folder_file = str(tmp_path / "run-folder")
        master = stack.enter_context(locust(words, tmp_path, BENCH_RUN_FILE=folder_file, **shared, **env))
        near = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
        far = ["--worker", "--master-host", elsewhere.ours, "--master-port", str(wire.port)]
        own = [] if key else target
        stack.enter_context(locust([*near, *own], tmp_path, **shared, **env))
        worker = stack.enter_context(
            locust([*far, *own], tmp_path, prefix=elsewhere.without(tmp_path), **shared, **env)
        )
        out = master.communicate(timeout=300)[0]
        said = worker.communicate(timeout=300)[0]
        calls = token_calls(running.said["log"])
    wire.close()
    assert "Traceback" not in out + said
    assert load_run(run_folder(tmp_path)).problems == ()
    assert calls == fetches
    assert ("fetches its own" in said) is not bool(key)
    assert len(list(run_folder(tmp_path).glob("samples/*.arrows"))) == 2, "the other host's samples stayed there"
    ends = [json.loads(path.read_text().splitlines()[-1]) for path in run_folder(tmp_path).glob("health/*.jsonl")]
    assert [end["written"] for end in ends] == [200, 200]
    assert b"bench_relay" in wire.seen
    assert b"ep-aml-token" not in wire.seen
    assert not found_in(bytes(wire.seen), (KEY,))

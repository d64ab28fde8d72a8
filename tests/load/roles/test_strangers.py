"""A master's port in reach of others: whatever they send, the run goes on and nobody's credentials are fetched anew."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace
from tests.load.roles.processes import KEY, await_that, free_port, has_begun, locust, run_folder, token_calls

LETTERS: list[bytes] = [
    b"",
    b"\xc1",
    msgpack.dumps(["bench_relay", {"key": 1}, "stranger"]),
    msgpack.dumps(["bench_relay", {"envelope": {"key": "1", "from": "stranger", "to": "master"}}, "stranger"]),
    msgpack.dumps(["bench_drained", {}, "stranger"]),
    msgpack.dumps(["bench_failed", {"where": "a", "error": "b", "traceback": "c"}, "stranger"]),
    msgpack.dumps(["bench_here", {}, "stranger"]),
    msgpack.dumps(["stats", None, "stranger"]),
    msgpack.dumps(["heartbeat", None, "stranger"]),
    msgpack.dumps(["client_ready", 7, "stranger"]),
    msgpack.dumps(["exception", None, "stranger"]),
    msgpack.dumps([["stats"], None, "stranger"]),
    msgpack.dumps(["quit", None, "stranger"])[:-3],
]


@pytest.mark.slow
def test_strangers_are_not_noticed(emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
    """Empty, cut and foreign messages, and ones in a worker's name: all arrivals are sent, one fetch serves them."""
    before = token_calls(emulator["log"])
    port = free_port()
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--headless"]
    target = ["--endpoint", emulator["endpoints"]["aml_token"], *workspace]
    load = ["--expect-workers", "2", "--users", "6", "--arrival-rate", "50", "--duration", "4s", "--warm-up", "0s"]
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
    context = zmq.Context()
    with ExitStack() as stack:
        key = {"BENCH_RELAY_KEY": KEY, **emulator["env"]}
        leader = stack.enter_context(locust([*master, *target, *load], tmp_path, **key))
        workers = [stack.enter_context(locust(worker, tmp_path, **key)) for _ in range(2)]
        await_that(lambda: leader.poll() is not None or has_begun(tmp_path))
        stranger = stack.enter_context(context.socket(zmq.DEALER))
        stranger.setsockopt(zmq.IDENTITY, b"stranger")
        stranger.setsockopt(zmq.LINGER, 1000)
        stranger.connect(f"tcp://127.0.0.1:{port}")
        for letter in LETTERS:
            stranger.send(letter)
        out = leader.communicate(timeout=300)[0]
        said = [process.communicate(timeout=300)[0] for process in workers]
    context.term()
    run = run_folder(tmp_path)
    assert json.loads((run / "manifest.json").read_text())["ended"]["reason"] == "completed", out
    assert json.loads((run / "summary.json").read_text())["variants"]["aml_token"]["outcomes"] == {"ok": 200}
    assert token_calls(emulator["log"]) - before == 1
    assert "ignored a message that cannot be read" in out
    assert "ignored a 'bench_relay' message from a stranger" in out
    assert "Traceback" not in out
    assert not [text for text in said if "fetches its own" in text]

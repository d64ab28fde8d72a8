"""The command itself: what it prints, how it ends, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.emulator import room
from bench.emulator.durations import seconds
from bench.emulator.listeners import Listener, PortTakenError
from tests.emulator.process import emulator, until

COMMAND = [sys.executable, "-m", "bench.emulator"]
FIRST_OUTGOING_PORT = 32768
"""Linux's; other systems' is higher. From here on closed connections keep ports taken for a minute."""


def fails(*options: str) -> str:
    """The one line that the command ends with, having refused these options."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_the_ready_line_is_one_line_of_json_and_the_only_one():
    """Everything a client needs is in it, and nothing else comes on stdout until the end."""
    with emulator() as running:
        said = running.said
        assert {"pid", "control_plane", "scoring_uri", "admin", "workspace", "endpoints", "env", "entra"} <= set(said)
        assert {"ca_file", "log", "refusals", "timer"} <= set(said)
        assert said["pid"] == running.process.pid
        assert set(said["scoring_uri"]) == set(said["endpoints"]) == {"key", "aml_token", "aad_token"}
        assert set(said["workspace"]) == {"subscription_id", "resource_group", "workspace_name"}
        assert set(said["entra"]) == {"authority", "tenant_id", "client_id", "client_secret", "ca_file"}
        assert Path(said["ca_file"]).exists()
        running.process.terminate()
        assert running.process.stdout is not None
        assert running.process.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(number: signal.Signals):
    """Exit code 0, no traceback, and its folder is gone, even with a client in the middle of a request."""
    process = subprocess.Popen([*COMMAND, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    address = urlsplit(said["scoring_uri"]["key"])
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"POST /score HTTP/1.1\r\n")
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert not Path(said["ca_file"]).parent.exists()


def test_it_dies_with_its_parent():
    """Asked to, it stops when whoever started it is killed."""
    starter = textwrap.dedent("""
        import subprocess, sys, time
        process = subprocess.Popen([sys.executable, "-m", "bench.emulator", "--json", "--die-with-parent"])
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = json.loads(parent.stdout.readline())["pid"]
    parent.kill()
    parent.wait()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"

    until(gone)
    parent.stdout.close()


def test_a_taken_port_is_one_clear_line():
    """It names the port and the option."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert fails("--port", str(port)).startswith(
            f"bench emulator: port {port} on 127.0.0.1 is taken; choose another"
        )


@pytest.mark.parametrize("descriptors", [12, 40])
def test_too_few_descriptors_are_one_clear_line(descriptors):
    """To start with, or for the first clients, to whom it would look like a target in trouble: exit code 4."""
    command = ["bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "bash", *COMMAND, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "bench emulator: out of file descriptors (raise `ulimit -n`)\n"


def test_no_free_port_is_no_taken_one(monkeypatch):
    """The system says the same of a port that is taken and of all that are: only one of them is an option's fault."""

    def refuse(*_):
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr("socket.socket.bind", refuse, raising=False)
    with pytest.raises(PortTakenError):
        asyncio.run(Listener(9999, asyncio.Protocol).open())
    with pytest.raises(OSError, match="no local port is free") as raised:
        asyncio.run(Listener(0, asyncio.Protocol).open())
    assert room.lacking(raised.value) == "no local port is free"


def test_a_fixed_port_is_the_first_of_eleven():
    """Control plane first, the scoring URIs next to it."""
    below = FIRST_OUTGOING_PORT - 11
    for port in range(below, below - 11 * 50, -11):
        with emulator_or_none(port) as said:
            if said is not None:
                assert said["control_plane"] == f"http://127.0.0.1:{port}"
                uris = [f"http://127.0.0.1:{port + number}/score" for number in (1, 2, 3)]
                assert list(said["scoring_uri"].values()) == uris
                return
    pytest.fail("no eleven free ports in a row")


class emulator_or_none:  # noqa: N801 - reads like the function it wraps
    """The ready line of an emulator on a fixed port, None if somebody has one of its ports."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, "--json", "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> dict[str, object] | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=300)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--service-base", "fast"), "'fast' is no duration"),
        (("--service-base=-1ms",), "must not be negative"),
        (("--token-life", "0.5"), "must be 1s or more"),
        (("--token-life", "10", "--refresh-after", "10"), "--refresh-after must be shorter than --token-life"),
        (("--traffic", "blue=90"), "--traffic must add up to 100"),
        (("--traffic", "blue"), "blue is not NAME=PERCENT"),
        (("--slow-deployment", "red=1ms"), "no deployment red in --traffic"),
        (("--deny", "fly"), "unknown action 'fly'"),
        (("--instances", "0"), "0 is not a whole number from 1"),
        (("--port", "99999"), "99999 is no port"),
        (("--faults", "/nowhere/faults.yaml"), "/nowhere/faults.yaml: No such file or directory"),
        (("--truth", "/nowhere/truth"), "/nowhere/truth: No such file or directory"),
        (("--log", "/nowhere/log"), "/nowhere/log: No such file or directory"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: tuple[str, ...], complaint: str):
    """Exit code 2 and a last line that says what is wrong."""
    assert complaint in fails(*options)


def test_a_bad_fault_script_is_refused_before_anything_is_served(tmp_path: Path):
    """The line names the file, the fault and the word."""
    script = tmp_path / "faults.yaml"
    script.write_text("- {do: explode}\n")
    assert fails("--faults", str(script)).startswith(f"bench emulator: {script}: fault 1: unknown `do: explode`")


def test_for_people_it_prints_what_to_paste():
    """The export lines, the workspace, and how to stop it."""
    process = subprocess.Popen([*COMMAND, "--tls"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    while not (lines and lines[-1].startswith("and in the client")):
        lines.append(process.stdout.readline())
    process.terminate()
    text = "".join(lines) + process.communicate(timeout=300)[0]
    assert "Ctrl-C stops it" in text
    assert re.search(r"export IDENTITY_ENDPOINT=http://127\.0\.0\.1:\d+/msi/token", text)
    assert re.search(r"ep-key +https://127\.0\.0\.1:\d+/score", text)
    assert "workspace name emulator" in text


def test_the_certificate_authority_is_new_each_time():
    """Its certificate verifies this emulator and no other."""
    with emulator() as one, emulator() as other:
        assert Path(one.said["ca_file"]).read_text() != Path(other.said["ca_file"]).read_text()
        stranger = ssl.create_default_context(cafile=other.said["ca_file"])
        port = int(one.said["scoring_uri_tls"]["key"].split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as client, pytest.raises(ssl.SSLCertVerificationError):
            stranger.wrap_socket(client, server_hostname="127.0.0.1")


@pytest.mark.parametrize(
    ("text", "duration_s"), [("2", 2), ("0.5", 0.5), (".5s", 0.5), ("500ms", 0.5), ("2m", 120), ("-10m", -600), (3, 3)]
)
def test_durations_are_read_as_people_write_them(text: object, duration_s: float):
    """Plain seconds, or with a unit."""
    assert seconds(text) == pytest.approx(duration_s)


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "1e400", None, True, "nan"])
def test_what_is_no_duration_is_refused(text: object):
    """Nothing is guessed."""
    with pytest.raises(ValueError):
        seconds(text)

"""What this host cannot hold is said before the first request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import RunInvalid
from bench.load.engine.client_limits import Room


def in_a_process(limits: str, call: str) -> str:
    """What a process with such limits prints: a hard limit that is lowered stays so."""
    program = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, {limits})\n"
        "from bench.errors import RunInvalid\nfrom bench.load.engine.client_limits import Room, have_descriptors\n"
        f"try:\n    {call}\n    print('ok', resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "except RunInvalid as exc:\n    print(exc.exit_code, exc.describe())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_too_few_descriptors() -> None:
    """`ulimit -n 200` and 400 users: exit 4, with both numbers."""
    said = in_a_process("(200, 200)", "Room().have(400)")
    assert said.startswith("4 400 users need 4")
    assert "may have 200" in said
    assert "ulimit" in said


def test_a_soft_limit_is_raised() -> None:
    """As far as it must be, and the hard one is left alone."""
    said = in_a_process("(200, 1000)", "Room().have(400)")
    assert said.startswith("ok (4")
    assert said.rstrip().endswith(", 1000)")


def test_room_enough() -> None:
    """Nothing is changed."""
    assert in_a_process("(200, 1000)", "Room().have(10)").strip() == "ok (200, 1000)"


def test_users_that_come_later() -> None:
    """A LoadTestShape asks for more and more: what is connected by then is not counted twice, the same not said twice.

    Four descriptors are open when the room is made (`ulimit -n 100` leaves 64 for users), 60 connections by the end.
    """
    said = in_a_process(
        "(100, 100)",
        "room = Room(); room.have(30); held = [open('/dev/null') for _ in range(30)]; room.have(60); room.have(20);"
        " held += [open('/dev/null') for _ in range(30)]; print('60 are there', len(held)); room.have(70)",
    )
    assert said.startswith("60 are there 60\n4 70 users need 10")


def test_none_to_begin_with() -> None:
    """Said before gevent is imported, which would abort."""
    assert in_a_process("(20, 20)", "have_descriptors(what='Locust needs')").startswith("4 Locust needs 3")


def refusal(connections: int, port_range: Path) -> str:
    try:
        Room(port_range=port_range).have(connections)
    except RunInvalid as exc:
        return exc.describe()
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("40000 40059\n", "61 users need as many local ports, and this host has 60"),
        ("40000 40100\n", ""),
        ("nonsense", ""),
        (None, ""),
    ],
)
def test_local_ports(text: str | None, said: str, tmp_path: Path) -> None:
    """60 ports hold 60 connections to one target; a system that does not tell (macOS) is believed to have enough."""
    file = tmp_path / "range"
    if text is not None:
        file.write_text(text)
    assert refusal(61, file).startswith(said)
    assert bool(refusal(61, file)) == bool(said)

"""What this host cannot hold is said before the first request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import RunInvalid
from bench.load.engine.client_limits import make_room


def in_a_process(limits: str, call: str) -> str:
    """What a process with such limits prints: a hard limit that is lowered stays so."""
    program = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, {limits})\n"
        "from bench.errors import RunInvalid\nfrom bench.load.engine.client_limits import make_room\n"
        f"try:\n    {call}\n    print('ok', resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "except RunInvalid as exc:\n    print(exc.exit_code, exc.describe())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_too_few_descriptors() -> None:
    """`ulimit -n 200` and 400 users: exit 4, with both numbers."""
    said = in_a_process("(200, 200)", "make_room(400)")
    assert said.startswith("4 400 users need 4")
    assert "may have 200" in said
    assert "ulimit" in said


def test_a_soft_limit_is_raised() -> None:
    """As far as it must be, and the hard one is left alone."""
    said = in_a_process("(200, 1000)", "make_room(400)")
    assert said.startswith("ok (4")
    assert said.rstrip().endswith(", 1000)")


def test_room_enough() -> None:
    """Nothing is changed."""
    assert in_a_process("(200, 1000)", "make_room(10)").strip() == "ok (200, 1000)"


def refusal(connections: int, port_range: Path) -> str:
    try:
        make_room(connections, port_range=port_range)
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

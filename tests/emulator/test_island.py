"""The emulator's walls: what it imports, who imports it, and that its guide tells everything."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bench.emulator.faults import FIELDS, FaultKind

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "bench" / "emulator"
GUIDE = ROOT / "docs" / "guides" / "emulator.md"
PURE = (
    *("settings", "durations", "state", "roles", "tokens", "faults", "faultbook", "conditions", "service_time"),
    *("messages", "resources", "bucket", "throttle", "routes", "arm_answers", "identity", "outages", "admission"),
    *("answers", "announce"),
)


def imports(path: Path) -> set[str]:
    """Every module that `path` imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_it_imports_nothing_else_of_bench():
    """A header that is wrong on one side cannot be wrong on the other by the same line."""
    for path in ROOM.glob("*.py"):
        foreign = {
            name for name in imports(path) if name.startswith("bench.") and not name.startswith("bench.emulator")
        }
        assert not foreign, path.name


def test_nobody_imports_it():
    """It is only ever started as a process."""
    for folder in ("bench", "locustfiles"):
        for path in (ROOT / folder).rglob("*.py"):
            if ROOM not in path.parents:
                assert not {name for name in imports(path) if name.startswith("bench.emulator")}, path


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_touch_no_clock_socket_or_file(name: str):
    """They can be tested without a process, and read like what they decide."""
    edges = {"asyncio", "socket", "time", "os", "uvloop", "httptools", "subprocess", "threading"}
    assert not imports(ROOM / f"{name}.py") & edges


def test_the_guide_tells_every_option():
    """An option without a word in the guide is not there for anybody."""
    shown = subprocess.run(
        [sys.executable, "-m", "bench.emulator", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = {word.strip("[],") for word in shown.split() if word.strip("[],").startswith("--")}
    guide = GUIDE.read_text(encoding="utf-8")
    assert not [option for option in options - {"--help"} if f"`{option}" not in guide]


def test_the_guide_tells_every_fault_and_its_words():
    """Each fault has a row, with all its words."""
    rows = {
        line.split("`")[1]: line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    }
    for kind in FaultKind:
        needed, allowed = FIELDS[kind]
        assert not [word for word in (*needed, *allowed) if f"`{word}`" not in rows[kind]], kind

"""Where gates come from, and that none gets lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.gates.settings import find_gates
from bench.settings.file import read_settings

IN_PYPROJECT = '[tool.bench.gates]\nlatency = "response_time.p99 < 250ms"\nauth = "auth_failure_rate == 0"\n'


def test_gates_come_from_a_named_table_in_pyproject(tmp_path: Path) -> None:
    """Each row of [tool.bench.gates] is a gate with the row's name."""
    (tmp_path / "pyproject.toml").write_text(f"[project]\nname = 'x'\n{IN_PYPROJECT}")
    gates, source = find_gates((), read_settings(tmp_path))
    assert source == "pyproject.toml"
    assert [(gate.name, str(gate)) for gate in gates] == [
        ("latency", "response_time.p99 < 250ms"),
        ("auth", "auth_failure_rate == 0"),
    ]


def test_a_list_of_expressions_will_do(tmp_path: Path) -> None:
    """Gates without names are called by their expression."""
    (tmp_path / "bench.toml").write_text('gates = ["error_rate <= 0.1%", "requests >= 1000"]\n')
    gates, source = find_gates((), read_settings(tmp_path))
    assert source == "bench.toml"
    assert [gate.name for gate in gates] == ["error_rate <= 0.1%", "requests >= 1000"]


def test_the_first_place_that_names_a_gate_is_taken_whole(tmp_path: Path) -> None:
    """--gate beats bench.toml beats pyproject.toml, and nothing is merged."""
    (tmp_path / "pyproject.toml").write_text(IN_PYPROJECT)
    assert find_gates((), read_settings(tmp_path))[1] == "pyproject.toml"
    (tmp_path / "bench.toml").write_text('[gates]\nerrors = "error_rate <= 1%"\n')
    gates, source = find_gates((), read_settings(tmp_path))
    assert ([gate.name for gate in gates], source) == (["errors"], "bench.toml")
    gates, source = find_gates(("ok_rate >= 99%",), read_settings(tmp_path))
    assert ([str(gate) for gate in gates], source) == (["ok_rate >= 99%"], "--gate")


def test_no_gates_are_no_error(tmp_path: Path) -> None:
    """A project that never heard of gates, or whose pyproject has other tools only, is left alone."""
    assert find_gates((), read_settings(tmp_path)) == ((), "")
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 120\n")
    assert find_gates((), read_settings(tmp_path)) == ((), "")


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("bench.toml", "gates = [", "cannot be read"),
        ("bench.toml", 'gate = ["error_rate <= 1%"]', "unknown key 'gate'"),
        ("bench.toml", 'gates = "error_rate <= 1%"', "neither a list nor a table"),
        ("bench.toml", "gates = [1]", "gate 1 is not text"),
        ("bench.toml", 'gates = ["eror_rate <= 1%"]', r"^bench\.toml line 1 gates 'eror_rate"),
        ("pyproject.toml", "[tool]\nbench = 3", r"pyproject\.toml \[tool\.bench\] is not a table"),
        ("pyproject.toml", "tool = 3", "is not a table"),
        ("pyproject.toml", '[tool.bench.gates]\nauth = "x"', r"^pyproject\.toml line 2 \[tool\.bench\] gates 'x'"),
    ],
)
def test_a_settings_file_that_cannot_be_understood_stops_the_run(
    tmp_path: Path, file: str, text: str, problem: str
) -> None:
    """A misspelled key must not turn a guarded run into an unguarded one."""
    (tmp_path / file).write_text(text)
    with pytest.raises(UsageError, match=problem):
        find_gates((), read_settings(tmp_path))


def test_a_profile_may_have_gates_of_its_own(tmp_path: Path) -> None:
    """They take the place of the file's; a profile without any is judged by the file's."""
    text = (
        'gates = ["error_rate <= 1%"]\n[profiles.quick]\n[profiles.free]\ngates = []\n'
        '[profiles.strict]\ngates = ["error_rate == 0%"]\n'
    )
    (tmp_path / "bench.toml").write_text(text)
    gates, source = find_gates((), read_settings(tmp_path, profile="strict"))
    assert ([str(gate) for gate in gates], source) == (["error_rate == 0%"], "bench.toml [profiles.strict]")
    assert find_gates((), read_settings(tmp_path, profile="quick"))[1] == "bench.toml"
    assert find_gates((), read_settings(tmp_path, profile="free"))[0] == ()

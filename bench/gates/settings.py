"""Where gates come from: the command line, `bench.toml` or `pyproject.toml`. Edge: reads those two files.

The first of these that names any gate is taken whole, nothing is merged, so a line of output says what a run
was judged by:

    1. --gate EXPR, as often as given
    2. bench.toml       gates = ["EXPR", ...]   or a table [gates]              name = "EXPR"
    3. pyproject.toml   the same below [tool.bench], that is [tool.bench.gates] name = "EXPR"

Both files are looked for in one folder (the commands give the working directory), not above it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.gates.expression import parse
from bench.gates.gate import Gate
from bench.rundir import read_bytes

_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (("bench.toml", ()), ("pyproject.toml", ("tool", "bench")))
_EXAMPLE = 'gates = ["response_time.p99 < 250ms"]'


def find_gates(expressions: Sequence[str], folder: Path) -> tuple[tuple[Gate, ...], str]:
    """The gates that count and where they were found (`--gate`, a file, or empty when there are none).

    UsageError for a gate that cannot be parsed, a file that is no TOML, and a key nobody knows: a
    misspelled `gate = [...]` must not turn into a run without gates.
    """
    if expressions:
        return tuple(parse(expression) for expression in expressions), "--gate"
    for name, keys in _FILES:
        table: Any = _read(folder / name)
        for key in keys:
            table = table.get(key, {}) if isinstance(table, dict) else table
        gates = _gates(table, where=f"{name} [{'.'.join(keys)}]" if keys else name)
        if gates:
            return gates, name
    return (), ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bytes(path).decode())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as exc:
        raise UsageError(f"{path} cannot be read: {exc}", hint="is it a TOML file?") from exc


def _gates(table: Any, *, where: str) -> tuple[Gate, ...]:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not a table", hint=f"write {_EXAMPLE}")
    unknown = sorted(set(table) - {"gates"})
    if unknown:
        raise UsageError(f"{where}: unknown key {unknown[0]!r}", hint="the only key is `gates`")
    match table.get("gates", []):
        case dict() as named:
            pairs = list(named.items())
        case list() as expressions:
            pairs = [("", expression) for expression in expressions]
        case _:
            raise UsageError(f"{where}: gates is neither a list nor a table", hint=f"write {_EXAMPLE}")
    return tuple(_gate(name, expression, where) for name, expression in pairs)


def _gate(name: str, expression: object, where: str) -> Gate:
    if not isinstance(expression, str):
        raise UsageError(f"{where}: gate {name or expression!r} is not text", hint=f"write {_EXAMPLE}")
    return parse(expression, where=f"{where} gates", name=name)

"""Where gates come from: the command line, a profile of `bench.toml`, or the file.

The first of these that names any gate is taken whole, nothing is merged, so a line of output says what a run
was judged by:

    1. --gate EXPR, as often as given
    2. the profile      [profiles.nightly.gates] name = "EXPR"
    3. bench.toml       gates = ["EXPR", ...]   or a table [gates]              name = "EXPR"
    4. pyproject.toml   the same below [tool.bench], that is [tool.bench.gates] name = "EXPR"
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.gates.expression import parse
from bench.gates.gate import Gate
from bench.settings.file import Settings


def find_gates(expressions: Sequence[str], settings: Settings) -> tuple[tuple[Gate, ...], str]:
    """The gates that count and where they were found (`--gate`, a file, or empty when there are none).

    UsageError for a gate that cannot be parsed.
    """
    if expressions:
        return tuple(parse(expression) for expression in expressions), "--gate"
    rules, where = settings.rules()
    return tuple(parse(rule.expression, where=rule.where, name=rule.name) for rule in rules), where

"""Calibration results as a table for a terminal, a markdown page and JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Cells = Mapping[str, Any]


def text(rows: Sequence[Cells]) -> str:
    """Every column of any row, in the order they are met; numbers to the right."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    shown = [columns, *([show(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in shown) for i in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in shown
    )


def markdown(rows: Sequence[Cells]) -> str:
    """The same as a GitHub-flavoured table."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    lines += [f"| {' | '.join(show(row.get(column)) for column in columns)} |" for row in rows]
    return "\n".join(lines)


def show(value: Any) -> str:
    """A figure to the digits that matter: three decimals below 10, none above 1,000."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if value != value:
            return "-"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)

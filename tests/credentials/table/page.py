"""The guide's page "It does not work: by message", made of the table: `python -m tests.credentials.table.page`."""

from __future__ import annotations

from pathlib import Path

from tests.credentials.table.rows import SECTIONS, Row

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "it-does-not-work.md"

_HEAD = """# It does not work: by message

Look for the words, or the code, in what `bench doctor` or `bench run` said; `...` is whatever differs from case to
case. Exit code 2: a name or an option is wrong; 3: no credential could be had; 4: the endpoint is there and cannot
answer, or cannot be reached. What stays in trouble is asked again for `--start-timeout` (60s) before it is an error.

This page is made of a table whose every row is done to both commands, on two control planes, by the tests.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for title, about, rows in SECTIONS:
        lines += [
            f"## {title}",
            "",
            about,
            "",
            "| what happened | what is said | exit | what to do |",
            "|---|---|---|---|",
        ]
        lines += [_line(row) for row in rows]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    cells = (row.given, row.says, str(row.code), row.cure)
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

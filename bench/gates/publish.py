"""Tells the CI server that is running us. Edge: reads the environment it is given, appends to one file.

The commands print the lines it returns on stdout. Elsewhere than on a CI server it does and returns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import unwritable
from bench.gates import azure_pipelines, github
from bench.gates.result import GateResult


def publish(
    results: Sequence[GateResult], *, summary: Mapping[str, Any], environ: Mapping[str, str], markdown_file: Path
) -> list[str]:
    """Lines for the CI server's log reader, which must go to stdout as they are.

    On GitHub (GITHUB_ACTIONS) the table is appended to the file GITHUB_STEP_SUMMARY names. On Azure Pipelines
    (TF_BUILD) the agent is asked to show `markdown_file`, which the caller has written, if it is there.
    UsageError when the step summary cannot be written.
    """
    lines: list[str] = []
    if environ.get("GITHUB_ACTIONS") == "true":
        lines += github.issue_lines(results)
    if step_summary := environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(step_summary), github.markdown(results, summary))
    if environ.get("TF_BUILD"):
        lines += azure_pipelines.issue_lines(results)
        if markdown_file.is_file():
            lines.append(azure_pipelines.attach_summary(str(markdown_file.resolve())))
    return lines


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as exc:
        hint = "is GITHUB_STEP_SUMMARY set by hand?"
        raise unwritable(f"cannot write the step summary to {path}", exc, hint=hint) from exc

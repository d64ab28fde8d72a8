"""Gate results for Azure Pipelines: issues on the run, and the tab with its summary. Pure: results in, text out.

Protocol: Microsoft Learn, "Logging commands" of Azure Pipelines. `publish` decides whether to print them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.gates.result import GateResult, GateVerdict
from bench.plain_text import harmless, printable


def issue_lines(results: Sequence[GateResult]) -> list[str]:
    """One error a failed gate and one warning an undecided one; nothing for those that passed."""
    return [
        f"##vso[task.logissue type={level}]{_data(f'Gate {result.verdict}: {result.label}: {result.sentence}')}"
        for result in results
        if (level := {GateVerdict.PASS: "", GateVerdict.FAIL: "error"}.get(result.verdict, "warning"))
    ]


def attach_summary(path: str) -> str:
    """The line that has the agent show the Markdown file at the absolute `path` on the run's page."""
    return f"##vso[task.uploadsummary]{harmless(path)}"


def _data(text: str) -> str:
    """One line; a lone % is left alone, for agents differ in whether they decode its escape."""
    return harmless(printable(text))

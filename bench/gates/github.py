"""Gate results for GitHub Actions: the job summary, and annotations on the run. Pure: results in, text out.

Protocol: GitHub docs, "Workflow commands for GitHub Actions". `publish` decides whether and where to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.gates.result import GateResult, GateVerdict, show, show_interval
from bench.plain_text import printable

_MARK = {
    GateVerdict.PASS: "✅ pass",
    GateVerdict.FAIL: "❌ fail",
    GateVerdict.INCONCLUSIVE: "⚠️ inconclusive",
    GateVerdict.NO_DATA: "⚠️ no data",
}


def markdown(results: Sequence[GateResult], summary: Mapping[str, Any]) -> str:
    """A table of the gates under one line that says how it went: for the job summary and a comment on a PR."""
    trust = summary.get("trust", {})
    lines = [
        f"### {headline(results, summary)}",
        "",
        "| gate | verdict | measured | interval | threshold |",
        "|---|---|---|---|---|",
        *(_row(result) for result in results),
        "",
        *(f"- {_inline(result.sentence)}" for result in results if result.verdict is not GateVerdict.PASS),
        *(f"- trust: {_inline(reason)}" for reason in trust.get("reasons", [])),
    ]
    return "\n".join(lines).rstrip() + "\n"


def headline(results: Sequence[GateResult], summary: Mapping[str, Any]) -> str:
    """`2 of 3 gates passed, 1 failed · run 20261124-… TRUSTED`."""
    counts = {verdict: sum(result.verdict is verdict for result in results) for verdict in GateVerdict}
    rest = "".join(
        f", {counts[verdict]} {word}"
        for verdict, word in (
            (GateVerdict.FAIL, "failed"),
            (GateVerdict.INCONCLUSIVE, "inconclusive"),
            (GateVerdict.NO_DATA, "without data"),
        )
        if counts[verdict]
    )
    verdict = summary.get("trust", {}).get("verdict", "of unknown trust")
    gates = f"{len(results)} gate{'' if len(results) == 1 else 's'}"
    return f"{counts[GateVerdict.PASS]} of {gates} passed{rest} · run {summary.get('run_id', '?')} {verdict}"


def issue_lines(results: Sequence[GateResult]) -> list[str]:
    """One `::error` a failed gate and one `::warning` an undecided one; nothing for those that passed."""
    return [
        f"::{level} title={_property(f'Gate {result.verdict}: {result.label}')}::{_data(result.sentence)}"
        for result in results
        if (level := {GateVerdict.PASS: "", GateVerdict.FAIL: "error"}.get(result.verdict, "warning"))
    ]


def _row(result: GateResult) -> str:
    kind = result.gate.metric.kind
    cells = (
        f"`{result.gate}`" + (f" ({result.variant})" if result.variant and not result.gate.variant else ""),
        _MARK[result.verdict],
        result.shown,
        "" if result.interval is None else show_interval(kind, result.interval),
        "" if result.threshold is None else show(kind, result.threshold),
    )
    return f"| {' | '.join(_inline(cell) for cell in cells)} |"


def _inline(text: str) -> str:
    """Text that stays in its cell and on its line."""
    return printable(text).replace("|", "\\|")


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

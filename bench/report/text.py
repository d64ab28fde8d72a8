"""The summary for a terminal, for one line of a CI log, and as markdown for a pull request. Pure.

Called by `bench run`, `compare`, `report` and `gate`. Everything is read out of `summary.json` (design, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import words
from bench.report.words import STATISTICS, GateRow

Summary = Mapping[str, Any]

LATENCIES = (("response_time_ms", "response time, ms"), ("service_time_ms", "service time, ms"))

_COLOURS = {"good": "32", "bad": "31", "doubt": "33", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the figures: a cell a variant, and what is said of the difference. A heading has no cells."""

    label: str
    cells: tuple[str, ...] = ()
    note: str = ""
    verdict: str = ""


def render_table(summary: Summary, colour: bool = False, gates: Sequence[GateRow] = ()) -> str:
    """The end of a run on a terminal: figures, trust, gates. Several lines, without a newline at the end."""
    rows = list(figure_rows(summary))
    names = list(summary["variants"])
    label_width = max(len(row.label) for row in rows)
    widths = [max(len(name), *(len(row.cells[i]) for row in rows if row.cells)) for i, name in enumerate(names)]

    def line(row: Row) -> str:
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(row.cells, widths, strict=False))
        note = f"   {_paint(row.note, words.tone(row.verdict), on=colour and bool(row.verdict))}" if row.note else ""
        return f"{row.label:<{label_width}}{cells}{note}".rstrip()

    heading = Row("", tuple(names), f"difference of {words.headline(summary)}" if summary.get("comparison") else "")
    lines = [_paint(line(heading), "bold", on=colour), *(line(row) for row in rows), ""]
    trust = summary["trust"]
    lines.append(f"{_verdict(trust['verdict'], colour)}  {words.trust_sentence(trust)}")
    lines += [f"  - {remark}" for remark in remarks(summary)]
    for gate in gates:
        lines.append(f"{_verdict(gate['verdict'], colour)}  {gate['metric']}, {_measured(gate)}")
    return "\n".join(lines)


def one_line(summary: Summary, gates: Sequence[GateRow] = ()) -> str:
    """The run in one line: gates, trust, cost or speed, auth failures."""
    passed = sum(gate["verdict"] == "PASS" for gate in gates)
    parts = [
        f"{words.gates_verdict(gates)}: {passed} of {words.plural(len(gates), 'gate')} passed" if gates else "",
        str(summary["trust"]["verdict"]),
        words.cost_sentence(summary.get("comparison")) or words.speed_sentence(summary),
        words.auth_sentence(summary),
    ]
    return "; ".join(part for part in parts if part)


def summary_md(summary: Summary, gates: Sequence[GateRow] = ()) -> str:
    """GitHub-flavoured markdown for a pull-request comment or a step summary. Ends with a newline."""
    lines = [f"### {_cell(words.headline(summary))}", ""]
    if gates:
        lines += ["| gate | verdict | measured | interval | threshold |", "|---|---|---|---|---|"]
        lines += [
            f"| `{_code(gate['metric'])}` | **{gate['verdict']}** | {_cell(gate['measured'])} "
            f"| {_cell(gate['interval'])} | {_cell(gate['threshold'])} |"
            for gate in gates
        ]
        lines.append("")
    trust = summary["trust"]
    lines.append(f"- **{trust['verdict']}**: {words.trust_sentence(trust)}")
    lines += [f"  - {_cell(remark)}" for remark in remarks(summary)]
    cost = words.cost_sentence(summary.get("comparison"))
    lines += [f"- {_cell(sentence)}" for sentence in (cost, words.auth_sentence(summary)) if sentence]
    lines += ["", *_markdown_table(summary), "", f"Run `{_cell(summary.get('run_id', ''))}`"]
    return "\n".join(lines) + "\n"


def remarks(summary: Summary) -> list[str]:
    """Why the run is not trusted, and what is missing of it; each thing once."""
    return list(dict.fromkeys([*summary["trust"].get("reasons", ()), *summary.get("problems", ())]))


def figure_rows(summary: Summary) -> Iterator[Row]:
    """The figures of all variants, in the order they are read."""
    variants = list(summary["variants"].values())
    comparison = summary.get("comparison") or {}
    yield Row("requests", tuple(words.count(v["requests"]) for v in variants))
    yield Row("throughput", tuple(words.rate(v["throughput"]) for v in variants))
    for label, share in (("errors", "error_rate"), ("auth failures", "auth_failure_rate")):
        shares = (v["error_rate"] if label == "errors" else v["auth_failures"]["rate"] for v in variants)
        found = comparison.get(share) or {}
        note = words.share_estimate(found) if any(v["outcomes"].get("ok", 0) < v["requests"] for v in variants) else ""
        yield Row(label, tuple(words.percent(one) for one in shares), note, str(found.get("verdict", "")))
    yield Row("refreshes", tuple(words.count(v["refreshes"]["count"]) for v in variants))
    for block, title in LATENCIES:
        yield Row(title)
        for statistic in STATISTICS:
            found = (comparison.get(block) or {}).get(statistic) or {}
            cells = tuple(words.milliseconds((v.get(block) or {}).get(statistic)) for v in variants)
            yield Row(f"  {statistic}", cells, words.estimate(found), str(found.get("verdict", "")))


def _markdown_table(summary: Summary) -> Iterator[str]:
    compared = bool(summary.get("comparison"))
    names = [_cell(name) for name in summary["variants"]]
    yield f"| | {' | '.join([*names, *(['difference, 95 % interval'] if compared else [])])} |"
    yield f"|---|{'---:|' * len(names)}{'---|' if compared else ''}"
    for row in figure_rows(summary):
        label = row.label.strip() if row.cells else f"**{row.label}**"
        cells = list(row.cells or [""] * len(names)) + ([row.note] if compared else [])
        yield f"| {label} | {' | '.join(_cell(cell) for cell in cells)} |"


def _measured(gate: GateRow) -> str:
    return f"measured {gate['measured']}" + (f" {gate['interval']}" if gate["interval"] else "")


def _cell(text: object) -> str:
    """Text that stays in its cell and is no markup."""
    return _code(text).replace("&", "&amp;").replace("<", "&lt;")


def _code(text: object) -> str:
    """Text that stays in its cell and in its code span."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("`", "'")


def _verdict(verdict: str, colour: bool) -> str:
    return _paint(verdict, words.tone(verdict), on=colour)


def _paint(text: str, style: str, *, on: bool) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if on and style in _COLOURS else text

"""The summary for a terminal, for one line of a CI log, and as markdown for a pull request. Pure.

Everything is read out of `summary.json` (design, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import metrics, numbers
from bench.plain_text import printable
from bench.report import network_words, stage_rows, words
from bench.report.words import GateRow, Summary

LATENCIES = tuple((f"{name}_ms", metrics.DURATIONS[name].title) for name in metrics.LATENCIES)

_STREAM_STATISTICS = ("p50", "p90", "p99", "mean")
"""There are many durations of a stream; the rest of each is in summary.json."""
_LENGTHS = {"prompt_tokens": "tokens of a prompt, by the server", "output_tokens": "tokens of an answer, by the server"}
_LENGTH_STATISTICS = ("p50", "p99", "mean")
_COLOURS = {"good": "32", "bad": "31", "doubt": "33", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the figures: a cell a variant, the difference, and its verdict. A heading has no cells.

    `spans` are the intervals of the cells, where there is room for them.
    """

    label: str
    cells: tuple[str, ...] = ()
    difference: str = ""
    verdict: str = ""
    spans: tuple[str, ...] = ()


def render_table(summary: Summary, colour: bool = False, gates: Sequence[GateRow] = ()) -> str:
    """The end of a run on a terminal: figures, trust, gates. Several lines, without a newline at the end."""
    names = tuple(summary["variants"])
    compared = words.comparisons(summary)
    heading = Row("", names, f"{compared[0]['candidate']} less {compared[0]['baseline']}" if compared else "")
    rows = [heading, *figure_rows(summary)]
    label_width = max(len(row.label) for row in rows)
    widths = [max(len(row.cells[i]) for row in rows if row.cells) for i in range(len(names))]
    difference_width = max(len(row.difference) for row in rows)

    def line(row: Row) -> str:
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(row.cells, widths, strict=False))
        verdict = f" {_verdict(row.verdict, colour)}" if row.verdict else ""
        return f"{row.label:<{label_width}}{cells}   {row.difference:<{difference_width}}{verdict}".rstrip()

    trust = summary["trust"]
    return "\n".join(
        [
            words.failure_sentence(summary),
            "",
            _paint(line(heading), "bold", on=colour),
            *(line(row) for row in rows[1:]),
            "",
            *_stage_lines(summary),
            *(words.cost_sentence(one) for one in compared[1:] if words.conclusive(summary)),
            f"{_verdict(trust['verdict'], colour)}  {words.trust_sentence(trust)}",
            *(f"  - {remark}" for remark in remarks(summary)),
            *network_words.sentences(summary),
            *(f"{_verdict(gate['verdict'], colour)}  {gate['metric']}  {_measured(gate)}" for gate in gates),
        ]
    )


def one_line(summary: Summary, gates: Sequence[GateRow] = ()) -> str:
    """The run in one line: what failed, gates, trust, cost or speed. An INVALID run gives no conclusion."""
    passed = sum(gate["verdict"] == "PASS" for gate in gates)
    parts = [
        words.failure_sentence(summary),
        f"{words.gates_verdict(gates)}: {passed} of {numbers.plural(len(gates), 'gate')} passed" if gates else "",
        summary["trust"]["verdict"],
        *_conclusions(summary),
    ]
    return "; ".join(part for part in parts if part)


def _conclusions(summary: Summary) -> list[str]:
    compared = words.comparisons(summary)
    if words.conclusive(summary) and compared:
        times = ("response_time", metrics.TIME_TO_FIRST_TOKEN)
        return [words.cost_sentence(one, metric=metric) for one in compared for metric in times]
    if words.conclusive(summary):
        return [words.speed_sentence(summary), words.token_sentence(summary)]
    answered = any(variant["outcomes"]["ok"] for variant in summary["variants"].values())
    measured = f"measured all the same: {words.speed_sentence(summary)}" if answered else ""
    return ["nothing is concluded from an INVALID run", measured]


def summary_md(summary: Summary, gates: Sequence[GateRow] = ()) -> str:
    """GitHub-flavoured markdown for a pull-request comment or a step summary. Ends with a newline."""
    trust = summary["trust"]
    compared = words.comparisons(summary) if words.conclusive(summary) else []
    sentences = [words.cost_sentence(one, quantile=q) for one in compared for q in ("p50", "p99")]
    lines = [
        f"### {_cell(words.headline(summary))}",
        "",
        f"**{_cell(words.failure_sentence(summary))}**",
        "",
        *_markdown_gates(gates),
        f"- **{trust['verdict']}**: {_cell(words.trust_sentence(trust))}",
        *(f"  - {_cell(remark)}" for remark in remarks(summary)),
        *(f"- {_cell(sentence)}" for sentence in sentences if sentence),
        *(f"- {_cell(sentence)}" for sentence in network_words.sentences(summary)),
        "",
        *_markdown_figures(summary),
        "",
        *_markdown_stages(summary),
        *_markdown_failures(summary),
        f"Run `{_code(summary['run_id'])}`. Times in milliseconds; differences with 95 % intervals.",
    ]
    return "\n".join(lines) + "\n"


def _stage_lines(summary: Summary) -> Iterator[str]:
    rows = stage_rows.rows(summary)
    if not rows:
        return
    widths = [max(len(row[column]) for row in [stage_rows.HEADING, *rows]) for column in range(len(rows[0]))]
    for row in [stage_rows.HEADING, *rows]:
        yield "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
    if said := stage_rows.sentence(summary):
        yield said
    yield ""


def _markdown_stages(summary: Summary) -> Iterator[str]:
    rows = stage_rows.rows(summary)
    if not rows:
        return
    yield f"| {' | '.join(stage_rows.HEADING)} |"
    yield "|---:|---:|---|---|---:|---:|---:|---:|---:|"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""
    if said := stage_rows.sentence(summary):
        yield f"{_cell(said)}."
        yield ""


def remarks(summary: Summary) -> list[str]:
    """Why the run is not trusted, and what is missing of it; each thing once."""
    reasons = summary["trust"]["reasons"]
    missing = [problem for problem in summary["problems"] if not any(problem in reason for reason in reasons)]
    warm_up = summary.get("warm_up", {}).get("sentence", "")
    warm_up_remark = [] if not warm_up or warm_up in reasons else [warm_up]
    return [*reasons, *missing, *warm_up_remark, *words.stream_remarks(summary)]


def figure_rows(summary: Summary) -> Iterator[Row]:
    """The figures of all variants in the order they are read; differences are those of the first comparison."""
    variants = list(summary["variants"].values())
    compared = next(iter(words.comparisons(summary)), {})
    failures = compared.get("auth_failure_rate", {})
    errors = compared.get("error_rate", {})
    yield Row("requests", tuple(numbers.count(v["requests"]) for v in variants))
    yield Row("throughput", tuple(numbers.rate(v["throughput"]) for v in variants))
    yield Row("refreshes", tuple(numbers.count(v["refreshes"]["count"]) for v in variants))
    rates = tuple(numbers.percent(v["auth_failures"]["rate"]) for v in variants)
    yield Row("auth failures", rates, *_share_difference(failures))
    yield Row("all errors", tuple(numbers.percent(v["error_rate"]) for v in variants), *_share_difference(errors))
    for block, title in LATENCIES:
        yield Row(f"{title}, ms")
        for statistic in metrics.STATISTICS:
            found = compared.get(block, {}).get(statistic, {})
            cells = tuple(words.response_time(v, statistic, block) for v in variants)
            yield Row(
                f"  {statistic}",
                cells,
                numbers.estimate(found),
                found.get("verdict", "") if numbers.interval(found) else "",
            )
    yield from stream_rows(summary)


def stream_rows(summary: Summary) -> Iterator[Row]:
    """The figures of streamed answers and of goodput; none where there is neither."""
    variants = list(summary["variants"].values())
    compared = next(iter(words.comparisons(summary)), {})
    if any(variant.get("goodput") for variant in variants):
        shares = [variant.get("goodput") or {} for variant in variants]
        spans = tuple(numbers.share_span(one) for one in shares)
        yield Row("good requests", tuple(numbers.percent(one.get("rate")) for one in shares), spans=spans)
        yield _rate_row("goodput", shares, "throughput")
    streamed = [variant.get("streams") for variant in variants]
    if not any(streamed):
        return
    blocks = [one or {} for one in streamed]
    yield Row("streamed answers", tuple(numbers.count(one.get("answers")) for one in blocks))
    yield Row("output tokens", tuple(numbers.count(one.get("output_tokens")) for one in blocks))
    yield _rate_row("output tokens a second", blocks, "throughput")
    yield _rate_row("  of one user", blocks, "throughput_per_user")
    if any(variant.get("conversations") for variant in variants):
        held = [variant.get("conversations") or {"count": 0, "ended": {}} for variant in variants]
        yield Row("conversations", tuple(numbers.count(one["count"]) for one in held))
        yield Row("  and how they ended", tuple(numbers.by_frequency(one["ended"]) for one in held))
    yield from _length_rows(summary, blocks)
    for metric, word in metrics.STREAM_DURATIONS.items():
        yield Row(f"{word.title}, ms")
        for statistic in _STREAM_STATISTICS:
            found = compared.get(f"{metric}_ms", {}).get(statistic, {})
            cells = tuple(words.response_time(v, statistic, f"{metric}_ms") for v in variants)
            verdict = found.get("verdict", "") if numbers.interval(found) else ""
            spans = tuple(numbers.span(v.get(f"{metric}_ms_interval", {}).get(statistic, {})) for v in variants)
            yield Row(f"  {statistic}", cells, numbers.estimate(found), verdict, spans)


def _rate_row(label: str, blocks: Sequence[Mapping[str, Any]], key: str) -> Row:
    """What there was a second, with the interval between the runs of a set."""
    spans = tuple(numbers.rate_span(block.get(f"{key}_interval") or {}) for block in blocks)
    return Row(label, tuple(numbers.rate(block.get(key)) for block in blocks), spans=spans)


def _length_rows(summary: Summary, streams: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Tokens of prompts and answers as the server counted them, beside what was asked for, where prompts were made."""
    made = summary.get("prompts") or {}
    for name, title in _LENGTHS.items():
        anew = " anew each turn" if name == "prompt_tokens" and made.get("turns", 1) > 1 else ""
        lengths = [(one.get("lengths") or {}).get(name) or {} for one in streams]
        asked = made.get(name) or {}
        if not any(lengths) and not asked:
            continue
        yield Row(title)
        for statistic in _LENGTH_STATISTICS:
            beside = f" ({numbers.tokens(asked[statistic])} asked{anew})" if asked else ""
            yield Row(f"  {statistic}", tuple(numbers.tokens(one.get(statistic)) + beside for one in lengths))


def _share_difference(found: Mapping[str, Any]) -> tuple[str, str]:
    interval = numbers.points_interval(found)
    return (f"{numbers.points(found['estimate'])} {interval}", found["verdict"]) if interval else ("", "")


def _markdown_gates(gates: Sequence[GateRow]) -> Iterator[str]:
    if gates:
        yield "| gate | verdict | measured | interval | threshold |"
        yield "|---|---|---|---|---|"
        for gate in gates:
            figures = " | ".join(_cell(gate[key]) for key in ("measured", "interval", "threshold"))
            yield f"| `{_code(gate['metric'])}` | **{gate['verdict']}** | {figures} |"
        yield ""


def _markdown_figures(summary: Summary) -> Iterator[str]:
    compared = bool(words.comparisons(summary))
    names = [_cell(name) for name in summary["variants"]]
    yield f"| | {' | '.join([*names, *(['difference', 'verdict'] if compared else [])])} |"
    yield f"|---|{'---:|' * len(names)}{'---|---|' if compared else ''}"
    for row in figure_rows(summary):
        label = row.label.strip() if row.cells else f"**{row.label}**"
        cells = [*(row.cells or [""] * len(names)), *([row.difference, row.verdict] if compared else [])]
        yield f"| {label} | {' | '.join(_cell(cell) for cell in cells)} |"


def _markdown_failures(summary: Summary) -> Iterator[str]:
    if any(variant.get("failures") for variant in summary["variants"].values()):
        yield "| variant | failure | requests | share | the first one said |"
        yield "|---|---|---:|---:|---|"
        for name, variant in summary["variants"].items():
            for kind in variant.get("failures", ()):
                share = f"{numbers.percent(kind['share'])} ({numbers.share_span(kind)})"
                cells = (
                    name,
                    words.failure_kind(kind),
                    numbers.count(kind["count"]),
                    share,
                    words.failure_detail(kind),
                )
                yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
        yield ""


def _measured(gate: GateRow) -> str:
    return " ".join(part for part in ("measured", gate["measured"], gate["interval"]) if part)


def _cell(text: str) -> str:
    """Text that stays in its cell and is no markup."""
    return _code(text).replace("&", "&amp;").replace("<", "&lt;")


def _code(text: str) -> str:
    """Text that stays in its cell and in its code span."""
    return printable(text).replace("|", "\\|").replace("`", "'")


def _verdict(verdict: str, colour: bool) -> str:
    return _paint(verdict, words.tone(verdict), on=colour)


def _paint(text: str, style: str, *, on: bool) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if on and style in _COLOURS else text

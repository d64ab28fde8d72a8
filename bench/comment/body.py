"""The comment on a pull request as Markdown. Pure.

Whatever came from outside (names of gates, variants, runs, commits) stands in a code span without backticks or bars, on
one line: there no markup, HTML, mention or CI command is obeyed, and no line begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench import numbers
from bench.errors import UsageError
from bench.plain_text import harmless, printable

MOST = 60_000
"""Characters of a comment; GitHub takes 65,536, the others more."""

_LONGEST = 300
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_URL = re.compile(r"[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")
_WORST = ("FAIL", "NO_DATA", "INCONCLUSIVE", "PASS")
_ROWS = (("response_time_ms", "p50"), ("response_time_ms", "p99"), ("service_time_ms", "p50"))
_STREAM_ROWS = (("time_to_first_token_ms", "p50"), ("time_to_first_token_ms", "p99"), ("inter_token_latency_ms", "p99"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """A watched figure over the runs of a history; `shifts` are sentences."""

    name: str
    last: str
    bars: str
    shifts: tuple[str, ...] = ()


def marker(key: str) -> str:
    """The line by which the comment is found again. UsageError for a key that could end it."""
    if not _KEY.fullmatch(key):
        raise UsageError(f"--key {key[:60]!r} cannot mark a comment", hint="small letters, digits and hyphens")
    return f"<!-- bench comment {key} -->"


def body(
    summary: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
    *,
    key: str,
    history: Sequence[Sparkline] = (),
    links: Iterable[tuple[str, str]] = (),
) -> str:
    """The whole comment; what is beyond `MOST` characters is counted and left out. Ends with its marker."""
    tail = ["", *_links(links), f"Run {code(summary['run_id'])}", marker(key)]
    sections = (_gates(gates), _figures(summary), _comparisons(summary), _history(history), _trust(summary))
    lines = [_headline(summary, gates), *(line for section in sections if section for line in ("", *section))]
    room = MOST - len("\n".join(tail)) - _LONGEST
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept += ["", f"{len(lines) - len(kept)} more lines are in the report."]
            break
        kept.append(line)
    return "\n".join(harmless(line) for line in [*kept, *tail]) + "\n"


def code(text: object) -> str:
    """Foreign text in a code span, where nothing is obeyed."""
    plain = printable(str(text)).replace("`", "'").replace("|", "¦")
    return f"`{plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + '…'}`" if plain else numbers.DASH


def _headline(summary: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> str:
    """The verdict: of the gates, and nothing of a run that cannot be believed."""
    trust = str(summary["trust"]["verdict"])
    verdicts = [gate["verdict"] for gate in gates]
    runs = f", {numbers.plural(len(summary['runs']), 'run')}" if "runs" in summary else ""
    if trust == "INVALID":
        return f"**INVALID**: nothing is concluded, the run cannot be believed{runs}"
    if not gates:
        return f"**{trust}**: no gate was asked for{runs}"
    worst = next((one for one in _WORST if one in verdicts), "NO_DATA")
    return f"**{worst}**: {verdicts.count('PASS')} of {numbers.plural(len(gates), 'gate')} passed, {trust}{runs}"


def _gates(gates: Sequence[Mapping[str, Any]]) -> list[str]:
    if not gates:
        return []
    worst_first = sorted(gates, key=lambda gate: _WORST.index(gate["verdict"]))
    rows = [
        (code(gate["name"] or gate["gate"]), gate["verdict"], *(code(gate["shown"].get(key, "")) for key in _SHOWN))
        for gate in worst_first
    ]
    said = [f"- {code(gate['sentence'])}" for gate in worst_first if gate["verdict"] != "PASS"]
    return [*_table(("gate", "verdict", *_SHOWN), rows), *([""] if said else []), *said]


_SHOWN = ("measured", "interval", "threshold")


def _figures(summary: Mapping[str, Any]) -> list[str]:
    streamed = any(block.get("streams") for block in summary["variants"].values())
    columns = (*_ROWS, *(_STREAM_ROWS if streamed else ()))
    rows = [
        (
            code(name),
            numbers.count(block["requests"]),
            *(code(_time(block, metric, statistic)) for metric, statistic in columns),
            numbers.percent(block["error_rate"]),
        )
        for name, block in summary["variants"].items()
    ]
    heads = [f"{metric.removesuffix('_ms').replace('_', ' ')} {statistic}, ms" for metric, statistic in columns]
    return _table(("variant", "requests", *heads, "failed"), rows)


def _time(block: Mapping[str, Any], metric: str, statistic: str) -> str:
    """`12.4 (11.9 to 12.8)`."""
    value = numbers.at_least(block.get(metric, {}).get(statistic), block.get(f"{metric}_censored", {}).get(statistic))
    span = numbers.span(block.get(f"{metric}_interval", {}).get(statistic, {}))
    return f"{value} ({span})" if span else value


def _comparisons(summary: Mapping[str, Any]) -> list[str]:
    one = summary.get("comparison")
    found = summary.get("comparisons") or ([one] if one else [])
    if not found or summary["trust"]["verdict"] == "INVALID":
        return []
    rows = [
        (
            code(f"{each['candidate']} less {each['baseline']}"),
            statistic,
            code(numbers.estimate(difference)),
            code(difference["verdict"]),
        )
        for each in found
        for statistic in ("p50", "p99")
        if (difference := each["response_time_ms"].get(statistic, {})).get("verdict")
    ]
    return _table(("difference", "response time", "ms", "verdict"), rows) if rows else []


def _history(lines: Sequence[Sparkline]) -> list[str]:
    if not lines:
        return []
    rows = [(code(line.name), code(line.bars), code(line.last)) for line in lines]
    shifts = [f"- {code(shift)}" for line in lines for shift in line.shifts]
    return [*_table(("over the runs before", "", "newest"), rows), *([""] if shifts else []), *shifts]


def _trust(summary: Mapping[str, Any]) -> list[str]:
    return [f"- {code(reason)}" for reason in summary["trust"]["reasons"]]


def _links(links: Iterable[tuple[str, str]]) -> list[str]:
    """UsageError for what is no plain web address: it could close the link and go on."""
    lines = []
    for name, url in links:
        if urlsplit(url).scheme not in {"https", "http"} or not _URL.fullmatch(url):
            raise UsageError(
                f"--link {name[:60]}: {printable(url)[:100]!r} is no web address", hint="write NAME=https://..."
            )
        lines.append(f"- {code(name)}: <{url}>")
    return lines


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]

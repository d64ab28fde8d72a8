"""The terminal table, the one line, and the markdown."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from typing import Any

import pytest

from bench.report import text, words
from tests.report.conftest import GATES, Reported

PURE = ("overlay", "palette", "parts", "text", "trust_facts", "words")


def test_the_table_shows_both_latencies_of_both_variants(eventful: Reported) -> None:
    """Response time and service time stand in the table with a figure for each variant and the difference."""
    table = text.render_table(eventful.summary)
    for title in ("response time, ms", "service time, ms"):
        part = table[table.index(title) :]
        row = next(line for line in part.splitlines() if line.strip().startswith("p50"))
        assert re.search(r"p50 +\d+\.\d\d +\d+\.\d\d +\+0\.\d+ \[\+0\.\d+, \+0\.\d+\] +(WORSE|INCONCLUSIVE)", row), row
    assert "\x1b" not in table


def test_every_line_of_the_table_fits_its_columns(eventful: Reported) -> None:
    """Figures of a variant end in one column."""
    lines = text.render_table(eventful.summary).splitlines()
    heading = lines[2]
    ends = [heading.index(name) + len(name) for name in eventful.summary["variants"]]
    p90s = [line for line in lines if line.strip().startswith("p90")]
    assert all(line[end - 1].isdigit() and not line[end : end + 1].strip() for line in p90s for end in ends)


def test_colour_only_paints_verdicts(eventful: Reported) -> None:
    """Without its colours the coloured table is the plain one."""
    coloured = text.render_table(eventful.summary, colour=True, gates=GATES)
    assert "\x1b[31mFAIL\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text.render_table(eventful.summary, gates=GATES)


def test_the_one_line_answers_the_four_questions(eventful: Reported) -> None:
    """One line says whether it passed, whether it can be trusted, what token costs; first of all what failed."""
    line = text.one_line(eventful.summary, GATES)
    assert re.match(r"aml_token 1\.\d+ % failed: 401 refused \(\d+\).*; key 0 % failed; FAIL: 1 of 2", line)
    assert "; TRUSTED; aml_token costs 0." in line
    assert "\n" not in line


def test_an_invalid_run_says_what_it_measured_and_concludes_nothing(eventful: Reported) -> None:
    """A slow target is named on the first line whatever the client did; no difference is, and no time of no answer."""
    doubted = copy.deepcopy(eventful.summary)
    doubted["trust"] |= {"verdict": "INVALID", "reasons": ["the client was the bottleneck"]}
    line = text.one_line(doubted)
    assert re.search(r"; INVALID; nothing is concluded .*; measured all the same: key p50 1\d\.\d+ ms, p99", line)
    assert "costs" not in line
    for variant in doubted["variants"].values():
        variant["outcomes"]["ok"] = 0
    assert text.one_line(doubted).endswith("nothing is concluded from an INVALID run")


def test_the_way_to_the_target_is_in_every_output(eventful: Reported) -> None:
    """Terminal and markdown; an unknown round trip is named as unknown."""
    summary = copy.deepcopy(eventful.summary)
    summary["variants"]["key"]["network"] = {"round_trip_ms": 10.26, "sent_again": 0, "places": []}
    for output in (text.render_table(summary), text.summary_md(summary)):
        assert "key: round trip 10.26 ms to the first TCP end (a proxy, or Azure's front door)" in output
        assert "aml_token: round trip to the first TCP end (a proxy, or Azure's front door): not known" in output


def test_the_markdown_is_a_whole_table(eventful: Reported) -> None:
    """Every row of a markdown table has as many cells as its heading."""
    markdown = text.summary_md(eventful.summary, GATES)
    tables = re.findall(r"(?:^\|.*\n)+", markdown, flags=re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "| `auth_failure_rate == 0` | **FAIL** | 1.7 % |  | 0 % |" in markdown


def test_names_cannot_break_out_of_the_markdown(eventful: Reported) -> None:
    """A pipe, a backtick or a tag in a name stays text."""
    hostile = copy.deepcopy(eventful.summary)
    hostile["variants"]["a|b<img>`"] = hostile["variants"]["key"]
    markdown = text.summary_md(hostile)
    assert "<img>" not in markdown
    assert "a\\|b&lt;img>'" in markdown


def test_each_remark_is_said_once(eventful: Reported) -> None:
    """A problem that is already a reason for mistrust is not repeated."""
    doubted = copy.deepcopy(eventful.summary)
    doubted["trust"] |= {"verdict": "INVALID", "reasons": ["samples/w0.arrows is missing; run it again"]}
    doubted["problems"] = ["samples/w0.arrows is missing", "no health record of w0"]
    assert text.remarks(doubted) == ["samples/w0.arrows is missing; run it again", "no health record of w0"]
    assert "  - no health record of w0" in text.render_table(doubted)


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ({"estimate": 0.31, "low": 0.28, "high": 0.34, "verdict": "WORSE"}, "aml_token costs 0.310 ms over key at p50"),
        (
            {"estimate": -0.5, "low": -0.6, "high": -0.4, "verdict": "BETTER"},
            "aml_token saves 0.500 ms over key at p50",
        ),
        (
            {"estimate": 0.01, "low": -0.1, "high": 0.1, "verdict": "EQUIVALENT"},
            "aml_token costs as much as key at p50",
        ),
        ({"estimate": 3.0, "low": -9.0, "high": 9.0, "verdict": "INCONCLUSIVE"}, "cannot be determined"),
        (
            {"estimate": 3.0, "low": -9.0, "high": 9.0, "verdict": "INCONCLUSIVE", "more_needed": 81_234},
            "+9.00] ms, needs 81,000 more samples",
        ),
        ({"estimate": 3.0, "low": None, "high": None, "verdict": "INCONCLUSIVE"}, "too few samples to say"),
        ({"estimate": None, "low": None, "high": None, "verdict": "INCONCLUSIVE"}, ""),
    ],
)
def test_the_cost_is_said_with_the_verdict_it_has(estimate: dict[str, Any], said: str) -> None:
    """Only a decided difference is said to cost or to save."""
    comparison = {"baseline": "key", "candidate": "aml_token", "response_time_ms": {"p50": {"level": 0.95, **estimate}}}
    sentence = words.cost_sentence(comparison)
    assert said in sentence
    assert bool(sentence) == bool(said)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], ""),
        (["PASS"], "PASS"),
        (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["NO_DATA", "INCONCLUSIVE"], "NO_DATA"),
        (["PASS", "NO_DATA", "FAIL"], "FAIL"),
    ],
)
def test_the_worst_gate_decides(verdicts: list[str], worst: str) -> None:
    """One gate that fails, or has no data, is the verdict of all."""
    assert words.gates_verdict([{**GATES[0], "verdict": verdict} for verdict in verdicts]) == worst


def test_the_pure_modules_import_nothing_that_draws_or_patches() -> None:
    """A terminal table costs no import of matplotlib, Locust, gevent or azure."""
    imports = "; ".join(f"import bench.report.{name}" for name in PURE)
    heavy = {"matplotlib", "gevent", "locust", "azure", "jinja2"}
    check = f"import sys; {imports}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

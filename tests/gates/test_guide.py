"""The guides say what the code does: their tables are the catalogue's, and their gates parse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import metrics
from bench.gates.expression import parse

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.mark.parametrize(
    ("guide", "table"), [("gates.md", metrics.metrics_table()), ("report.md", metrics.glossary_table())]
)
def test_the_guide_holds_the_catalogue(guide: str, table: str) -> None:
    """No metric and no word that does not exist; print `metrics.metrics_table()` or `glossary_table()` to renew it."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    [(held)] = re.findall(r"<!-- from bench/metrics.py -->\n(.*?)\n<!-- end -->", text, flags=re.DOTALL)
    assert held == table


def test_the_guide_lists_every_quantile() -> None:
    """What can follow a time."""
    text = (GUIDES / "gates.md").read_text(encoding="utf-8")
    assert all(f"`.{statistic}`" in text for statistic in metrics.STATISTICS)


def test_every_gate_in_the_guide_parses() -> None:
    """What is copied from the guide works."""
    text = (GUIDES / "gates.md").read_text(encoding="utf-8")
    gates = re.findall(r"--gate '([^']+)'", text) + re.findall(r'= \[?"([^"]+)"', text)
    gates += re.findall(r"`((?:error_rate|response_time)[.p0-9]*\{[^`]+)`", text)
    assert len(gates) >= 8
    for gate in gates:
        parse(gate)

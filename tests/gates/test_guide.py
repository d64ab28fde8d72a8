"""The guide says what the code does: its metrics are the metrics, and its gates parse."""

from __future__ import annotations

import re
from pathlib import Path

from bench.gates.expression import parse
from bench.gates.metrics import METRICS, QUANTILES

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "gates.md").read_text()


def test_the_guide_lists_every_metric_and_quantile() -> None:
    """And no metric that does not exist."""
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    listed = {word for row in rows for word in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert listed == set(METRICS)
    for quantile in QUANTILES:
        assert f"`.{quantile}`" in GUIDE


def test_every_gate_in_the_guide_parses() -> None:
    """What is copied from the guide works."""
    gates = re.findall(r"--gate '([^']+)'", GUIDE) + re.findall(r'= \[?"([^"]+)"', GUIDE)
    assert len(gates) >= 8
    for gate in gates:
        parse(gate)

"""The first line of a run names the fault and its share: the whole truth table as a soak, one row of it always."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.calibration.truth_table import FAULTS, Fault, FirstLine, page, run_fault


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_first_line_names_the_fault(fault: Fault, tmp_path: Path) -> None:
    """Real server, real run."""
    first = run_fault(fault, tmp_path)
    assert first.named, first


@pytest.mark.slow
def test_one_row_of_the_table(tmp_path: Path) -> None:
    """A model's own error with its reason: named, INVALID, exit code 4, and nothing concluded."""
    first = run_fault(next(fault for fault in FAULTS if fault.name == "424 model error"), tmp_path)
    assert first.named, first
    assert first.code == 4
    assert "nothing is concluded" in first.line


def test_the_page_counts_what_was_not_named() -> None:
    """A row that is not named is seen at once."""
    rows = [FirstLine(fault=FAULTS[0], line="TRUSTED", code=0), FirstLine(fault=FAULTS[2], line=_LINE, code=4)]
    text = page(rows)
    assert "1 of 2 runs" in text
    assert "| NO |" in text


_LINE = '100 % failed: 400 Bad Request (40), "no such field"'

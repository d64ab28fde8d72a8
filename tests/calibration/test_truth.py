"""Reported times are held against the truth of the same requests."""

from __future__ import annotations

import numpy as np
import pytest

from bench.calibration import table, truth


def _records(*rows: tuple[str, int, int, int]) -> np.ndarray:
    return np.array([(name.encode(), *times) for name, *times in rows], dtype=truth.RECORD)


def test_errors_are_of_matched_requests_only() -> None:
    """A sample the emulator never saw, and a record without a sample, change nothing."""
    records = _records(("run-w0-00000001", 1_000_000, 11_000_000, 0), ("run-w0-000000ff", 0, 90_000_000, 0))
    errors = truth.compare(
        records,
        truth.numbers(records["id"], "run-w0-"),
        sequence=np.array([1, 2]),
        intended_ns=np.array([0, 0]),
        sent_ns=np.array([500_000, 0]),
        done_ns=np.array([11_000_000, 70_000_000]),
        zero_ns=500_000,
    )
    assert errors.matched == 1
    assert errors.service["p50"] == pytest.approx(0.5)  # 10.5 ms reported, 10 ms true
    assert errors.true_response["p50"] == pytest.approx(10.5)
    assert errors.response["p50"] == pytest.approx(0.5)


def test_numbers_belong_to_their_worker() -> None:
    """An id of another run or worker has no number here."""
    ids = _records(("a-w0-0000000a", 0, 0, 0), ("a-w1-0000000a", 0, 0, 0), ("", 0, 0, 0))["id"]
    assert truth.numbers(ids, "a-w0-").tolist() == [10, -1, -1]


def test_a_cut_off_record_is_left_out() -> None:
    """The emulator may have been killed in the middle of one."""
    raw = b"H" * truth.HEADER_BYTES + _records(("x", 1, 2, 3)).tobytes() + b"half"
    assert truth.records(raw)["service_ns"].tolist() == [3]


def test_a_table_shows_the_digits_that_matter() -> None:
    """Numbers stand to the right, with as many digits as matter; what is not known is a dash."""
    lines = table.text([{"load": "a", "ms": 0.12345, "n": 12345}, {"load": "bb", "ms": None, "n": 1}]).splitlines()
    assert lines == ["load     ms       n", "a     0.123  12,345", "bb        -       1"]
    assert "| a | 0.123 | 12,345 |" in table.markdown([{"load": "a", "ms": 0.12345, "n": 12345}])

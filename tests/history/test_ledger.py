"""A history's file: full disks, cut lines, strangers' lines, newer versions; then the lines themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.errors import RunInvalid, UsageError
from bench.history import ledger
from bench.history.entry import as_entry
from bench.schemas.history import HistoryEntry

SUMMARY: dict[str, Any] = {
    "run_id": "20260101-000000-000-aaaa",
    "trust": {"verdict": "TRUSTED"},
    "variants": {
        "key": {
            "response_time_ms": {"p50": 12.0, "p99": 24.0},
            "response_time_ms_interval": {"p50": {"low": 11.0, "high": 13.0}},
            "service_time_ms": {"p50": 11.0},
            "error_rate": 0.0,
            "throughput": 50.0,
        }
    },
}
MANIFEST: dict[str, Any] = {
    "plan": {"variants": [{"name": "key"}], "target": "emulator", "arrival_rate": 100.0},
    "host": {"cpu_model": "x", "usable_cpus": 2},
}


def entry(run_id: str = "20260101-000000-000-aaaa", **changes: Any) -> HistoryEntry:
    made = as_entry({**SUMMARY, "run_id": run_id}, MANIFEST, at=run_id[:15], commit="c0ffee", branch="main")
    return msgspec.structs.replace(made, **changes)


def test_a_full_disk_leaves_the_history_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that the disk takes only half of is taken back, and reported in one line."""
    ledger.add(tmp_path, entry("20260101-000000-000-aaaa"))
    before = (tmp_path / ledger.FILE).read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    with pytest.raises(RunInvalid, match="No space left"):
        ledger.add(tmp_path, entry("20260102-000000-000-bbbb"))
    assert (tmp_path / ledger.FILE).read_bytes() == before


def test_a_line_that_was_cut_off_costs_that_line_only(tmp_path: Path) -> None:
    """It is named, and the next run does not grow onto it."""
    ledger.add(tmp_path, entry("20260101-000000-000-aaaa"))
    path = tmp_path / ledger.FILE
    path.write_bytes(path.read_bytes() + b'{"schema_version": 1, "run')
    ledger.add(tmp_path, entry("20260102-000000-000-bbbb"))
    runs, problems = ledger.read(tmp_path)
    assert [run.run_id for run in runs] == ["20260101-000000-000-aaaa", "20260102-000000-000-bbbb"]
    assert len(problems) == 1
    assert "line 2" in problems[0]


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"null",
        b'{"schema_version": "1"}',
        b"\xff\xfe",
        b'{"schema_version":1,"run_id":"\\u001b[31m","at":"a","trust":"TRUSTED","plan":"p","machine":"m"}',
        b'{"schema_version":1,"run_id":"##vso[task]","at":"a","trust":"TRUSTED","plan":"p","machine":"m"}',
        b'{"schema_version":1,"run_id":"r","at":"a","trust":"TRUSTED","plan":"p","machine":"m","figures":{"key":{"x":[1]}}}',
    ],
)
def test_what_is_no_line_of_a_history_is_named(tmp_path: Path, line: bytes) -> None:
    """Neither a traceback nor a figure, and nothing that a terminal or a CI would obey."""
    (tmp_path / ledger.FILE).write_bytes(line + b"\n")
    runs, problems = ledger.read(tmp_path)
    assert runs == ()
    assert len(problems) == 1


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    line = msgspec.json.encode(entry(schema_version=2))
    (tmp_path / ledger.FILE).write_bytes(line + b"\n")
    with pytest.raises(RunInvalid, match="schema_version 2"):
        ledger.read(tmp_path)


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    values = msgspec.json.decode(msgspec.json.encode(entry())) | {"added_later": "x"}
    (tmp_path / ledger.FILE).write_bytes(msgspec.json.encode(values) + b"\n")
    assert ledger.read(tmp_path) == ((entry(),), ())


def test_a_run_is_added_once(tmp_path: Path) -> None:
    assert ledger.add(tmp_path, entry())
    assert not ledger.add(tmp_path, entry())
    assert len(ledger.read(tmp_path)[0]) == 1


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_no_history_is_one_line(tmp_path: Path, name: str) -> None:
    if name == "folder":
        (tmp_path / ledger.FILE).mkdir()
    with pytest.raises(UsageError):
        ledger.read(tmp_path)


@pytest.mark.parametrize("gone", ["run_id", "trust", "variants"])
def test_a_summary_without_what_every_run_has_makes_no_line(gone: str) -> None:
    summary = {key: value for key, value in SUMMARY.items() if key != gone}
    with pytest.raises(RunInvalid, match=gone):
        as_entry(summary, MANIFEST, at="", commit="", branch="")

"""A run's folder: names that sort by time, files that are whole or not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.clock import ClockAnchor
from bench.errors import UsageError
from bench.rundir import RunDir, append_jsonl, newest_run, read_json, read_jsonl, write_json

S = 1_000_000_000


def at(wall_s: float) -> ClockAnchor:
    return ClockAnchor(monotonic_ns=0, wall_ns=round(wall_s * S))


def test_run_ids_sort_by_time(tmp_path: Path) -> None:
    """Also over midnight and the end of the year, and two of the same instant differ."""
    instants = [0.0, 0.5, 59.999, 86_400.0, 978_307_199.0, 978_307_200.0, 1_795_514_236.25, 1_795_514_236.251]
    made = [RunDir.create(tmp_path, at(instant)).run_id for instant in instants]
    assert made == sorted(made)
    twins = {RunDir.create(tmp_path, at(5)).run_id for _ in range(5)}
    assert len(twins) == 5


def test_a_run_id_leaves_room_in_a_request_id(tmp_path: Path) -> None:
    """Azure keeps 40 characters: the run, the worker and eight digits of a sequence."""
    run = RunDir.create(tmp_path, at(1_795_514_236.25))
    assert run.run_id.startswith("20261124-")
    assert len(f"{run.run_id}-w999-00000000") <= 40


def test_every_file_lies_in_the_folder(tmp_path: Path) -> None:
    """And naming them touches nothing."""
    run = RunDir(tmp_path / "r")
    files = (run.manifest, run.flights, run.summary, run.summary_md, run.report, run.junit)
    folders = (run.samples, run.health, run.plots)
    assert {path.parent for path in (*files, *folders)} == {run.path}
    assert not run.path.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A wrong option, with the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        RunDir.create(tmp_path / "file", at(0))
    assert "--out" in caught.value.describe()
    with pytest.raises(UsageError, match="cannot write results"):
        RunDir.create(Path("/proc"), at(0))


def test_a_name_that_no_file_system_takes(tmp_path: Path) -> None:
    """A NUL in --out is a usage error like any other folder that cannot be made."""
    with pytest.raises(UsageError, match="cannot write results"):
        RunDir.create(tmp_path / "a\0b", ClockAnchor.now())


def test_json_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees the old or the new file, never half of one, and nothing is left beside it."""
    path = tmp_path / "deep" / "manifest.json"
    write_json(path, {"n": 0, "word": "é"})
    inode = path.stat().st_ino
    with path.open() as old:
        write_json(path, {"n": 1})
        assert json.load(old) == {"n": 0, "word": "é"}
    assert path.stat().st_ino != inode
    assert read_json(path) == {"n": 1}
    assert os.listdir(path.parent) == ["manifest.json"]  # noqa: PTH208 - hidden files too


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """What cannot be written as JSON never gets near it."""
    path = tmp_path / "manifest.json"
    write_json(path, {"n": 0})
    with pytest.raises(TypeError):
        write_json(path, {"n": object()})
    assert read_json(path) == {"n": 0}


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "does not exist"), ("{", "cannot be read"), ("[]", "JSON object"), ("", "cannot be read")],
)
def test_a_json_file_that_is_none(content: str | None, word: str, tmp_path: Path) -> None:
    """It is named, with what is wrong."""
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_json(path)
    assert word in caught.value.describe()
    assert str(path) in caught.value.describe()


def test_lines_are_added_whole(tmp_path: Path) -> None:
    """Four processes write to one file at once; every line of each is there, in that process's order."""
    path = tmp_path / "flights.jsonl"
    program = (
        "import sys; from pathlib import Path; from bench.rundir import append_jsonl\n"
        "for n in range(300): append_jsonl(Path(sys.argv[1]), [{'who': sys.argv[2], 'n': n, 'pad': 'x' * 500}])"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), str(who)], cwd=Path(__file__).parents[1])
        for who in range(4)
    ]
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 4
    records = read_jsonl(path)
    assert len(records) == 1200
    for who in range(4):
        assert [record["n"] for record in records if record["who"] == str(who)] == list(range(300))


def test_no_lines_make_no_file(tmp_path: Path) -> None:
    """A run without a fetch has no flights."""
    append_jsonl(tmp_path / "flights.jsonl", [])
    assert not (tmp_path / "flights.jsonl").exists()
    assert read_jsonl(tmp_path / "flights.jsonl") == []


def test_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    """At every byte: the whole lines before it are read, and nothing is made up."""
    path = tmp_path / "health.jsonl"
    append_jsonl(path, [{"n": 1, "word": "é"}, {"n": 2}])
    whole = path.read_bytes()
    first = whole.index(b"\n")
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = [] if cut < first else [1] if cut < len(whole) - 1 else [1, 2]
        assert [record["n"] for record in read_jsonl(path)] == expected, cut


def test_the_newest_run(tmp_path: Path) -> None:
    """By name, among the folders that have a manifest."""
    with pytest.raises(UsageError, match="no run under"):
        newest_run(tmp_path)
    older, newer, unfinished = (RunDir.create(tmp_path, at(instant)) for instant in (1000, 2000, 3000))
    for run in (newer, older):
        write_json(run.manifest, {})
    assert newest_run(tmp_path) == newer
    assert unfinished.path.is_dir()

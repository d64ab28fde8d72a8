"""Lines that are added whole, whatever the disk and other processes do."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.line_file import LineFile


def test_a_line_that_was_cut_off_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes half of it: the next one is not glued to that, and tells how many are lost."""
    path = tmp_path / "w0.jsonl"
    file = LineFile(path)
    assert file.write({"a": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    assert not file.write({"b": 2})
    monkeypatch.setattr(os, "write", write)
    assert file.write({"c": 3})
    file.close()
    file.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": 1}, {"c": 3, "lost_lines": 1}]
    assert file.lost == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_it_never_raises(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk says, and whatever it is given."""
    file = LineFile(tmp_path / "w0.jsonl")

    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", refuse)
    monkeypatch.setattr(os, "ftruncate", refuse)
    assert not file.write({"a": 1})
    assert not file.write({"a": object()})
    assert file.lost == 2


def test_lines_are_added_whole(tmp_path: Path) -> None:
    """Two processes write to one file at once; every line of each is there, in that process's order."""
    path = tmp_path / "log"
    program = (
        "import sys; from pathlib import Path; from bench.line_file import LineFile\n"
        "file = LineFile(Path(sys.argv[1]))\n"
        "for n in range(300): file.write({'who': sys.argv[2], 'n': n, 'pad': 'x' * 500})"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), str(who)], cwd=Path(__file__).parents[1])
        for who in range(2)
    ]
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 2
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for who in range(2):
        assert [record["n"] for record in records if record["who"] == str(who)] == list(range(300))


def test_what_a_killed_process_left_behind_is_not_continued(tmp_path: Path) -> None:
    """The next line begins behind a line break, and only the first one does."""
    path = tmp_path / "log"
    path.write_text('{"a": 1}\n{"b')
    file = LineFile(path)
    assert file.write({"c": 3})
    assert file.write({"d": 4})
    assert path.read_text().splitlines() == ['{"a": 1}', '{"b', '{"c":3}', '{"d":4}']

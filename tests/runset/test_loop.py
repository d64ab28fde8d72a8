"""What becomes of a set when a run of it is bad, when it is killed, when the disk is full, when somebody has enough."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import RunInvalid
from bench.gates.arguments import Gates
from bench.gates.expression import parse
from bench.process.signals import Interrupted
from bench.report import build
from bench.rundir import RunDir
from bench.runreader import load_run
from bench.runset import loop
from bench.runset.arguments import Asked
from bench.runset.folder import SetDir, figures_and_manifest, runs_of
from bench.runset.judge import finish_set
from bench.runset.loop import run_all
from bench.runset.precision import parse_precision
from tests.analysis.synthetic import Side
from tests.runset.sets import new_set, write_member

Measure = Callable[[int], tuple[RunDir | None, int]]


def make(folder: SetDir, measure: Measure, *, runs: int = 3, until: str = "") -> loop.Ended:
    asked = Asked(runs=runs, precision=parse_precision(until) if until else None)
    return run_all(asked, folder, measure=measure, pause=lambda _: None, tell=lambda _: None)


def good(folder: SetDir) -> Measure:
    return lambda number: (write_member(folder.runs, number), 0)


def stored(folder: SetDir) -> dict[str, object]:
    return json.loads(folder.files.summary.read_text())


def test_an_invalid_run_is_left_out_by_name_and_the_set_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = new_set(tmp_path, runs=4)

    def measure(number: int) -> tuple[RunDir, int]:
        return write_member(folder.runs, number, **({"dropped": 500} if number == 1 else {})), 4 if number == 1 else 0

    assert make(folder, measure, runs=4) == loop.Ended("completed", 0)
    assert finish_set(folder.path, gates=Gates((parse("response_time.p50 < 1s"),)), code=0) == 0
    summary = stored(folder)
    assert [bool(line["left_out"]) for line in summary["runs"]] == [False, True, False, False]
    assert summary["trust"]["verdict"] == "SUSPECT"
    assert "20260101-000001-000-beef is left out: INVALID" in capsys.readouterr().out


def test_a_set_of_which_half_cannot_be_believed_passes_nothing(tmp_path: Path) -> None:
    folder = new_set(tmp_path)

    def measure(number: int) -> tuple[RunDir, int]:
        return write_member(folder.runs, number, **({"dropped": 500} if number else {})), 0

    make(folder, measure)
    assert finish_set(folder.path, gates=Gates((parse("response_time.p50 < 1s"),)), code=0) == 4


def test_killed_between_two_runs_it_has_what_it_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures so far, in a summary that does not say that the set ended: `bench gate` answers with 4."""

    class Killed(BaseException):
        pass

    folder = new_set(tmp_path)

    def measure(number: int) -> tuple[RunDir, int]:
        if number == 2:
            raise Killed
        return write_member(folder.runs, number), 0

    with pytest.raises(Killed):
        make(folder, measure)
    assert (len(stored(folder)["runs"]), stored(folder)["ended"]) == (2, "")
    assert finish_set(folder.path, gates=Gates((parse("response_time.p50 < 1s"),))) == 4
    assert "the set has 2 of 3 runs" in capsys.readouterr().out


def test_a_full_disk_leaves_the_last_summary_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, written = new_set(tmp_path), loop.write_json

    def full(path: Path, value: object) -> None:
        if len(value["runs"]) > 1:  # type: ignore[index]
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written(path, value)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        make(folder, good(folder))
    assert len(stored(folder)["runs"]) == 1


def test_ctrl_c_in_the_third_run_keeps_the_first_two(tmp_path: Path) -> None:
    folder = new_set(tmp_path, runs=5)

    def measure(number: int) -> tuple[RunDir, int]:
        reason = "signal" if number == 2 else "completed"
        return write_member(folder.runs, number, reason=reason), 4 if number == 2 else 0

    ended = make(folder, measure, runs=5)
    assert ended == loop.Ended("interrupted", 4)
    assert finish_set(folder.path, gates=Gates(), code=ended.code) == 4
    assert [line["left_out"] for line in stored(folder)["runs"]] == ["", "", "it ended early (signal)"]


def test_ctrl_c_in_the_pause_is_no_traceback(tmp_path: Path) -> None:
    folder = new_set(tmp_path)

    def interrupted(_: float) -> None:
        raise Interrupted

    asked = Asked(runs=3, pause_s=1.0)
    ended = run_all(asked, folder, measure=good(folder), pause=interrupted, tell=lambda _: None)
    assert ended == loop.Ended("interrupted", 4)
    assert len(stored(folder)["runs"]) == 1


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_run_that_does_not_begin_ends_the_set_with_its_code(code: int, tmp_path: Path) -> None:
    folder = new_set(tmp_path)
    assert make(folder, lambda number: (write_member(folder.runs, 0), 0) if not number else (None, code)).code == code
    assert stored(folder)["ended"] == "broke"


@pytest.mark.parametrize("damage", ["manifest.json", "summary.json"])
def test_a_member_that_cannot_be_read_is_named(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new_set(tmp_path, runs=4)
    make(folder, good(folder), runs=4)
    (folder.folders()[1].path / damage).write_text("{")
    if damage == "manifest.json":
        assert finish_set(folder.path, gates=Gates()) == 0
        assert "20260101-000001-000-beef is left out: it cannot be read" in capsys.readouterr().out
        assert figures_and_manifest(folder.path)[0]["trust"]["verdict"] == "SUSPECT"
    assert len(runs_of([folder.path])) == 3


def test_a_set_in_which_no_run_counts_is_one_line(tmp_path: Path) -> None:
    folder = new_set(tmp_path)
    with pytest.raises(RunInvalid, match="no run of the set"):
        finish_set(folder.path, gates=Gates())
    with pytest.raises(RunInvalid, match="no run of the set"):
        runs_of([folder.path])


def test_a_stranger_among_the_runs_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new_set(tmp_path, runs=4)
    make(folder, good(folder), runs=3)
    write_member(folder.runs, 7, rate=200.0)
    finish_set(folder.path, gates=Gates())
    assert "it measured something else: arrival rate was" in capsys.readouterr().out


def test_until_a_figure_is_known_well_and_not_before_five_runs(tmp_path: Path) -> None:
    folder = new_set(tmp_path, runs=20)
    assert make(folder, good(folder), runs=20, until="overhead.p50 +- 1.5ms") == loop.Ended("precise", 0)
    assert 5 <= len(stored(folder)["runs"]) < 20
    assert finish_set(folder.path, gates=Gates()) == 0


def test_until_more_than_the_runs_give_is_not_reached(tmp_path: Path) -> None:
    folder = new_set(tmp_path, runs=5)
    assert make(folder, good(folder), runs=5, until="overhead.p50 +- 0.001ms") == loop.Ended("completed", 0)


def test_the_set_s_report_names_every_run_and_escapes_what_it_shows(tmp_path: Path) -> None:
    folder = new_set(tmp_path)
    make(folder, good(folder))
    assert finish_set(folder.path, gates=Gates((parse("overhead.p50 < 10ms"),))) == 0
    page = folder.files.report.read_text()
    assert all(run.run_id in page for run in folder.folders())
    assert "intervals are between runs" in page
    assert (folder.files.plots / "runs.png").read_bytes().startswith(b"\x89PNG")
    assert page.count("run 2") >= 4
    assert folder.files.junit.exists()
    assert "| `overhead.p50 &lt; 10ms`" in folder.files.summary_md.read_text() or "overhead.p50" in page


def test_a_disk_that_fills_up_while_the_set_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_set(tmp_path)
    make(folder, good(folder))

    def full(path: Path, _: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(build, "write_bytes", full)
    with pytest.raises(RunInvalid, match="No space left"):
        finish_set(folder.path, gates=Gates())


def test_a_set_that_was_just_made_summarises_no_run_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But one whose own report was cut short; and the figures are those of samples read anew."""
    folder = new_set(tmp_path)
    make(folder, good(folder))
    gates = Gates((parse("response_time.p50 < 1s"),))
    assert finish_set(folder.path, gates=gates) == 0
    anew, read = stored(folder), []
    monkeypatch.setattr("bench.runset.folder.load_run", lambda path: read.append(path.name) or load_run(path))
    assert finish_set(folder.path, gates=gates, reported=True) == 0
    assert (read, stored(folder)) == ([], anew)
    folder.folders()[1].summary.unlink()
    assert finish_set(folder.path, gates=gates, reported=True) == 0
    assert (read, stored(folder)) == ([folder.folders()[1].run_id], anew)


def test_one_variant_too(tmp_path: Path) -> None:
    folder = new_set(tmp_path)
    make(folder, lambda number: (write_member(folder.runs, number, sides=(Side("key"),)), 0))
    assert finish_set(folder.path, gates=Gates((parse("response_time.p50 > 1s"),))) == 10

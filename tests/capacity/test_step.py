"""A step in load: when it was taken, what it cost, and what is never called taken."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bench.capacity.draw_step import step_plot
from bench.capacity.step import Windows, recovery, sentence, windows
from bench.cli import _run as bench
from bench.plan.run_plan import Stage
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run
from tests.e2e.command import bench as bench_process


def series(p99: list[float], *, answered: list[int] | None = None, before: int = 10) -> Windows:
    """Ten windows of 10 ms before the step, then `p99`; 200 are due in each."""
    count = before + len(p99)
    due = np.full(count, 200)
    good = due.copy()
    good[before:][np.isnan(p99)] = 0
    if answered is not None:
        good[before:] = answered
    return Windows(
        width_s=1.0,
        begins_s=np.arange(count) - float(before),
        due=due,
        answered=good,
        throttled=due - good,
        failed=np.zeros(count, int),
        times_ms=tuple(np.full(0 if np.isnan(time) else 200, time) for time in [10.0] * before + p99),
    )


@pytest.mark.parametrize(
    ("p99", "after_s"),
    [
        ([10.0] * 20, 0.0),
        ([90.0] * 7 + [10.0] * 13, 7.0),
        ([90.0] * 3 + [10.0] * 10 + [90.0] + [10.0] * 6, 14.0),  # it came back once and left again
        ([90.0] * 20, None),
        ([90.0] * 16 + [10.0] * 4, None),  # too short to be called taken
        ([10.0] * 19 + [float("nan")], None),  # no answer at all in the last second
    ],
)
def test_when_the_load_was_taken(p99: list[float], after_s: float | None) -> None:
    assert recovery(series(p99), bound_ms=None).after_s == after_s


def test_a_stray_slow_request_is_no_window_out_of_bounds() -> None:
    """In a second of 60 requests the p99 is the slowest one."""
    found = series([10.0] * 20)
    stray = np.full(60, 10.0)
    stray[-1] = 500.0
    one = dataclasses.replace(found, times_ms=(*found.times_ms[:-3], stray, *found.times_ms[-2:]))
    assert recovery(one, bound_ms=None).after_s == 0.0


def test_refused_requests_are_not_taken_however_fast_the_others_are() -> None:
    found = recovery(series([10.0] * 20, answered=[100] * 8 + [200] * 12), bound_ms=50.0)
    assert (found.after_s, found.throttled) == (8.0, 800)
    assert "taken after 8 s" in sentence(found, low=50, high=200, hold_s=20)
    assert "800 requests got 429" in sentence(found, low=50, high=200, hold_s=20)


@pytest.mark.parametrize(("before", "p99"), [(0, [10.0] * 20), (10, [10.0] * 3), (10, [])])
def test_too_little_around_the_step(before: int, p99: list[float]) -> None:
    with pytest.raises(ValueError, match="too little"):
        recovery(series(p99, before=before), bound_ms=None)


def test_windows_of_a_run_add_up_and_are_drawn(tmp_path: Path) -> None:
    stages = (Stage(duration_s=6, start_rate=60, end_rate=60), Stage(duration_s=10, start_rate=200, end_rate=200))
    side = Side("key", outcomes={"throttled": 0.1})
    run = load_run(write_run(tmp_path / "20260101-000000-000-beef", sides=(side,), stages=stages, warm_up_s=0))
    found = windows(run, step_s=6.0, rate=60)
    assert found.due.sum() == len(run.samples)
    assert (found.due == found.answered + found.throttled + found.failed).all()
    recovered = recovery(found, bound_ms=None)
    assert recovered.after_s is None
    assert step_plot(found, recovered, said="x").png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--step", "50"], "is no step"),
        (["--step", "50..50"], "both rates are the same"),
        (["--step", "0..50"], "--step: 0"),
        (["--step", "5..1000000000"], "--step"),
        (["--step", "5..50", "--at", "1s"], "--at: 1 is not"),
        (["--step", "5..50", "--hold", "9999h"], "--hold"),
        (["--step", "5..50", "--within", "0"], "--within must be above 0"),
        (["--step", "5..50", "--auth-mode", "key,aml_token"], "one variant"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_sent(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(["scale", "--emulator", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_on_the_emulator(tmp_path: Path) -> None:
    """One line, a figure and a plot beside the report of the run; of an INVALID run only that it is one."""
    words = ("--step", "40..80", "--at", "5s", "--hold", "6s", "--within", "5s")
    done = bench_process("scale", "--emulator", *words, cwd=tmp_path)
    (plots,) = tmp_path.glob("results/*/plots")
    if done.code == 4:
        assert "INVALID" in done.out, done
        return
    assert done.code == 0, done
    assert "40 to 80/s: taken" in done.out
    assert json.loads((plots.parent / "scale.json").read_text())["after_s"] is not None
    assert (plots / "scale.png").read_bytes().startswith(b"\x89PNG")

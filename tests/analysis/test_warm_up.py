"""`--warm-up auto`: a cold start ends where it ended; what never settles, or is too little to judge, is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.summary import summarise
from bench.analysis.warm_up import WarmUp, last_of, warm_up
from bench.report import text, words
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run


def found(cold_s: float, *, seed: int = 1, rate: float = 100.0, total_s: float = 90.0, cold_ms: float = 20.0) -> WarmUp:
    """Of requests around 10 ms that took `cold_ms` longer until `cold_s`; the warm-up is at most 30 s."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(round(rate * total_s)) / rate
    service_ms = 8 + rng.exponential(3, len(at_s)) + cold_ms * (at_s < cold_s)
    return warm_up(at_s, service_ms, at_most_s=30, until_s=total_s, least_ms=0.1)


@pytest.mark.parametrize("cold_s", [0.0, 3.0, 10.0, 24.5])
@pytest.mark.parametrize("cold_ms", [-4.0, 5.0, 300.0])
def test_it_ends_with_the_batch_in_which_the_target_settled(cold_s: float, cold_ms: float) -> None:
    for seed in range(10):
        warm_up = found(cold_s, seed=seed, cold_ms=cold_ms)
        assert warm_up.settled
        assert (
            cold_s - 0.75 <= warm_up.ended_s <= cold_s + 3.0
        )  # a batch is 1.5 s; a median does not see less than half


@pytest.mark.parametrize("cold_s", [33.0, 45.0])
def test_what_has_not_settled_within_the_bound_is_reported_and_all_of_it_left_out(cold_s: float) -> None:
    warm_up = found(cold_s)
    assert (warm_up.settled, warm_up.ended_s) == (False, 30.0)
    assert "had not settled after 30 s" in warm_up.sentence
    assert "auto:60s" in warm_up.sentence


@pytest.mark.parametrize("little", [{"rate": 2.0}, {"total_s": 31.0}, {"total_s": 0.0}, {"total_s": 20.0}])
def test_too_little_to_tell_leaves_all_of_it_out(little: dict[str, float]) -> None:
    """A low rate, a short run, none at all, one that was killed during the warm-up."""
    warm_up = found(0.0, **little)
    assert (warm_up.settled, warm_up.ended_s) == (None, 30.0)
    assert "to tell when" in warm_up.sentence


def test_a_slower_rate_has_longer_batches() -> None:
    warm_up = found(10.0, rate=10.0)
    assert warm_up.settled
    assert warm_up.ended_s == 12.0


def test_a_steady_target_is_warm_at_once_in_99_of_100_runs() -> None:
    ends = [found(0.0, seed=seed) for seed in range(200)]
    assert sum(one.ended_s > 0 for one in ends) <= 4
    assert all(one.settled for one in ends)


def test_of_several_variants_the_worst_counts() -> None:
    early, late = (WarmUp(at_most_s=30, ended_s=end, settled=True) for end in (3.0, 9.0))
    never, unknown = (WarmUp(at_most_s=30, ended_s=30, settled=settled) for settled in (False, None))
    assert last_of([early, late]) is late
    assert last_of([late, unknown]) is unknown
    assert last_of([unknown, never, late]) is never


def auto(path: Path, *, cold_s: float, at_most_s: float = 10.0, **options: object) -> Path:
    """A run with `--warm-up auto` whose first requests were 40 ms slower."""
    write_run(path, sides=(Side("key"),), warm_up_s=at_most_s, duration_s=30, **options)  # type: ignore[arg-type]
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["plan"]["warm_up_auto"] = True
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def cold(path: Path, *, cold_s: float) -> dict[str, object]:
    run = load_run(auto(path, cold_s=cold_s))
    run.samples.done_ns[run.samples.intended_ns < cold_s * 1e9] += 40_000_000
    return summarise(run)


def test_what_came_after_it_is_measured_and_no_cold_request_is(tmp_path: Path) -> None:
    summary = cold(tmp_path / "20260101-000000-000-aaaa", cold_s=4.0)
    assert summary["warm_up"] == {
        "at_most_s": 10.0,
        "ended_s": 4.0,
        "settled": True,
        "sentence": "the warm-up ended after 4 s of at most 10: service time had settled",
    }
    assert summary["measured_s"] == 36.0
    assert summary["variants"]["key"]["requests"] == pytest.approx(36 * 400, rel=0.01)
    assert summary["variants"]["key"]["service_time_ms"]["p90"] < 40
    assert summary["trust"]["verdict"] == "TRUSTED"
    assert summary["warm_up"]["sentence"] in text.remarks(summary)


def test_a_run_that_never_settled_is_suspect_and_says_it_once(tmp_path: Path) -> None:
    summary = cold(tmp_path / "20260101-000000-000-aaaa", cold_s=13.0)
    assert summary["warm_up"]["settled"] is False
    assert (summary["trust"]["verdict"], summary["measured_s"]) == ("SUSPECT", 30.0)
    assert text.remarks(summary).count(summary["warm_up"]["sentence"]) == 1


def test_a_warm_up_of_a_given_time_is_as_it_was(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "20260101-000000-000-aaaa", sides=(Side("key"),), duration_s=5))
    assert "warm_up" not in summarise(run)
    assert (run.warm_up, run.window_ns[0]) == (None, 2_000_000_000)


def test_a_run_that_was_killed_in_its_warm_up_measured_nothing(tmp_path: Path) -> None:
    path = auto(tmp_path / "20260101-000000-000-aaaa", cold_s=0, reason=None)
    run = load_run(path)
    run.samples.intended_ns[:] //= 5  # 8 s
    run.samples.phase[:] = run.samples.words["phase"].index("warm_up")
    assert (run.measured.any(), run.span_s) == (False, 0.0)
    assert summarise(run)["trust"]["verdict"] == "INVALID"


def test_the_plan_says_what_was_asked_for(tmp_path: Path) -> None:
    run = load_run(auto(tmp_path / "20260101-000000-000-aaaa", cold_s=0))
    assert "once service time has settled, after 10 s of warm-up at most" in words.plan_sentence(run.plan)

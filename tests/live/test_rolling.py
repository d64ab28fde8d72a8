"""Live figures: within 1 % of the truth, the same whatever was merged, and nothing of a failure in a latency."""

from __future__ import annotations

import numpy as np
import pytest

from bench.live import rolling
from bench.live.rolling import WINDOW_S, Rolling
from bench.live.sketch import RELATIVE_ERROR, Sketch

WORDS = {
    "variant": {"key": 0, "aml_token": 1},
    "outcome": {"ok": 0, "timed_out": 1},
    "cause": {"": 0, "client": 1},
    "tokens_from": {"": 0, "usage": 1, "events": 2},
}
ROW = np.dtype([(name, "<i8") for name in ("intended_ns", "sent_ns", "done_ns", "first_token_ns", "last_token_ns")] + [
    (name, "u1") for name in ("variant", "outcome", "cause", "attempt", "tokens_from")] + [
    ("output_tokens", "<u4")])  # fmt: skip
MS = 1_000_000


def rows(*, at_s: float, times_ms: list[float], variant: int = 0, outcome: int = 0, cause: int = 0) -> np.ndarray:
    made = np.zeros(len(times_ms), ROW)
    made["done_ns"] = round(at_s * 1e9)
    made["intended_ns"] = made["done_ns"] - (np.array(times_ms) * MS).astype(np.int64)
    made["sent_ns"] = made["intended_ns"] + MS
    made["variant"], made["outcome"], made["cause"] = variant, outcome, cause
    return made


def streams(*, first_ms: list[float], tokens: int, each_ms: float = 10, outcome: int = 0) -> np.ndarray:
    """Streamed answers that were due 1 s after the run's zero."""
    made = rows(at_s=3, times_ms=[2000.0] * len(first_ms), outcome=outcome)
    made["tokens_from"], made["output_tokens"] = 1, tokens
    made["first_token_ns"] = made["intended_ns"] + (np.array(first_ms) * MS).astype(np.int64)
    made["last_token_ns"] = made["first_token_ns"] + round(each_ms * MS) * max(tokens - 1, 0)
    return made


def test_nothing_has_no_quantile() -> None:
    assert Sketch().quantile_ms(0.5) is None
    assert Rolling(WORDS).figures(5.0) == {}


@pytest.mark.parametrize("q", [0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_a_quantile_is_within_its_error(q: float) -> None:
    times_ns = np.random.default_rng(1).lognormal(16, 1, 20_000)
    sketch = Sketch()
    sketch.add(times_ns)
    assert sketch.quantile_ms(q) == pytest.approx(float(np.quantile(times_ns, q)) / 1e6, rel=2 * RELATIVE_ERROR)


@pytest.mark.parametrize("odd", [-5, 0, 1, 10**18])
def test_odd_times_break_nothing(odd: int) -> None:
    """A clock that stepped, a zero, a century."""
    sketch = Sketch()
    sketch.add(np.array([odd]))
    assert sketch.total == 1
    assert sketch.quantile_ms(0.5) is not None


def test_merged_is_as_if_seen_by_one() -> None:
    """Over workers: the message's pairs lose nothing."""
    times_ms = np.random.default_rng(2).gamma(4, 3, 400).tolist()
    one, first, second = Rolling(WORDS), Rolling(WORDS), Rolling(WORDS)
    one.fold(rows(at_s=3, times_ms=times_ms))
    first.fold(rows(at_s=3, times_ms=times_ms[:150]))
    second.fold(rows(at_s=3, times_ms=times_ms[150:]))
    assert rolling.merge([first.figures(4), second.figures(4)]) == one.figures(4)


def test_failures_count_and_are_no_latency() -> None:
    live = Rolling(WORDS)
    live.fold(rows(at_s=1, times_ms=[10.0] * 9))
    live.fold(rows(at_s=1, times_ms=[5000.0], outcome=1, cause=1))
    whole = live.figures(2)["key"]["whole"]
    assert whole["outcomes"] == {"ok": 9, "timed_out: client": 1}
    assert Sketch(whole["response_time"]).quantile_ms(1.0) == pytest.approx(10, rel=0.02)


def test_the_window_forgets_and_the_whole_does_not() -> None:
    live = Rolling(WORDS)
    live.fold(rows(at_s=1, times_ms=[100.0]))
    live.fold(rows(at_s=2 + WINDOW_S + 1, times_ms=[10.0]))
    figures = live.figures(2 + WINDOW_S + 2)["key"]
    assert figures["recent"]["outcomes"] == {"ok": 1}
    assert figures["whole"]["outcomes"] == {"ok": 2}


def test_variants_are_kept_apart() -> None:
    live = Rolling(WORDS)
    live.fold(np.concatenate([rows(at_s=1, times_ms=[10.0]), rows(at_s=1, times_ms=[99.0], variant=1)]))
    assert {name: one["whole"]["outcomes"] for name, one in live.figures(1).items()} == {
        "key": {"ok": 1},
        "aml_token": {"ok": 1},
    }


def test_what_does_not_stream_has_no_tokens() -> None:
    live = Rolling(WORDS)
    live.fold(rows(at_s=1, times_ms=[10.0]))
    whole = live.figures(1)["key"]["whole"]
    assert (whole["time_to_first_token"], whole["time_per_output_token"], whole["output_tokens"]) == ([], [], 0)


def test_of_broken_and_empty_streams_nothing_is_a_time() -> None:
    """A stream that was cut after its first token, one without a token, and one with a single one, which has no gap."""
    live, none = Rolling(WORDS), streams(first_ms=[0.0], tokens=0)
    none["first_token_ns"] = none["last_token_ns"] = -1
    live.fold(np.concatenate([streams(first_ms=[5000.0], tokens=90, outcome=1), none]))
    assert live.figures(3)["key"]["whole"]["time_to_first_token"] == []
    live.fold(streams(first_ms=[50.0], tokens=1))
    whole = live.figures(3)["key"]["whole"]
    assert Sketch(whole["time_to_first_token"]).total == 1
    assert (whole["time_per_output_token"], whole["output_tokens"]) == ([], 1)


def test_streams_of_all_workers_are_added_up() -> None:
    first, second = Rolling(WORDS), Rolling(WORDS)
    first.fold(streams(first_ms=[50.0] * 3, tokens=64))
    second.fold(np.concatenate([streams(first_ms=[90.0], tokens=3, each_ms=20), rows(at_s=3, times_ms=[1.0])]))
    whole = rolling.merge([first.figures(3), second.figures(3)])["key"]["whole"]
    assert whole["output_tokens"] == 3 * 64 + 3
    times = {name: Sketch(whole[name]) for name in ("time_to_first_token", "time_per_output_token")}
    assert {name: sketch.total for name, sketch in times.items()} == dict.fromkeys(times, 4)
    assert [times["time_to_first_token"].quantile_ms(q) for q in (0.5, 1)] == pytest.approx([50, 90], rel=0.011)
    assert [times["time_per_output_token"].quantile_ms(q) for q in (0.5, 1)] == pytest.approx([10, 20], rel=0.011)

"""A run of which only some answers had their bodies looked at: what its shares say, and what they must not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.analysis import figures
from bench.analysis.auth_failures import failure_share
from bench.analysis.checked import counts, on_a_sample
from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.report import words
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run

WRONG = 0.10
BROKEN = 0.05


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    """Every answer looked at: 10 % wrong, and 5 % server errors."""
    side = Side("key", outcomes={"server_error": BROKEN, "unexpected": WRONG})
    return load_run(write_run(tmp_path_factory.mktemp("checked") / "20260101-000000-000-beef", sides=(side,), rate=500))


def looked_at(run: LoadedRun, every: int, *, seed: int = 1, wrong_ones_too: bool = True) -> LoadedRun:
    """The same run, had only one of `every` been looked at: a wrong one that was passed over is called ok."""
    samples = run.samples
    cause, words = samples.cause.copy(), dict(samples.words)
    words["cause"] = (*words["cause"], "expectation")
    unexpected = samples.where("outcome", "unexpected")
    cause[unexpected] = len(words["cause"]) - 1
    outcome = samples.outcome.copy()
    waiting = unexpected | samples.where("outcome", "ok")
    drawn = np.random.default_rng(seed).random(len(samples)) < 1 / every if every else np.zeros(len(samples), bool)
    outcome[unexpected & ~drawn] = words["outcome"].index("ok")
    cause[unexpected & ~drawn] = words["cause"].index("")
    stands_for = np.where(waiting, np.where(drawn, every, 0), 1).astype(np.uint16)
    return replace(
        run,
        memo={},
        samples=replace(samples, outcome=outcome, cause=cause, words=words, stands_for=stands_for),
    )


def block_of(run: LoadedRun, **options: Any) -> dict[str, Any]:
    block: dict[str, Any] = summarise(run, **options)["variants"]["key"]
    return block


def test_the_share_is_that_of_all(whole: LoadedRun) -> None:
    """Not that of the wrong ones that were found among all; the interval holds it, and is wider than of all."""
    every, some = block_of(looked_at(whole, 1)), block_of(looked_at(whole, 20), deadlines_ms=(1e6,))
    assert "checked" not in every
    assert some["checked"]["answers"] > 15 * some["checked"]["checked"]
    assert some["outcomes"]["unexpected"] < every["outcomes"]["unexpected"] / 10
    spans = {
        name: one["error_rate_interval"]["high"] - one["error_rate_interval"]["low"]
        for name, one in (("every", every), ("some", some))
    }
    assert spans["some"] > 2 * spans["every"]
    truth = every["error_rate"]
    assert truth == pytest.approx(WRONG + BROKEN, abs=0.02)
    assert some["error_rate_interval"]["low"] < truth < some["error_rate_interval"]["high"]
    unexpected = some["outcome_rates"]["unexpected"]
    assert unexpected["low"] < every["outcome_rates"]["unexpected"]["rate"] < unexpected["high"]
    of_cause = some["failure_rates"]["cause"]["expectation"]
    assert of_cause["share"] == pytest.approx(unexpected["rate"], abs=1e-9)
    in_time = some["within"]["1000000"]
    assert in_time["rate"] == pytest.approx(1 - some["error_rate"], abs=1e-6)
    assert in_time["low"] < 1 - truth < in_time["high"]


def test_what_needs_no_look_is_as_exact_as_ever(whole: LoadedRun) -> None:
    """A server error is one, whoever looks at bodies."""
    every, some = block_of(looked_at(whole, 1)), block_of(looked_at(whole, 100))
    assert some["outcome_rates"]["server_error"] == every["outcome_rates"]["server_error"]
    assert some["failure_rates"]["outcome"]["server_error"] == every["failure_rates"]["outcome"]["server_error"]


def test_intervals_hold_the_truth_however_it_was_drawn(whole: LoadedRun) -> None:
    """95 % of them; and few looks that found nothing wrong prove little."""
    truth = block_of(looked_at(whole, 1))["error_rate"]
    drawn = (looked_at(whole, 50, seed=seed) for seed in range(40))
    around = [figures.error_rate(failure_share(run, "key", auth_only=False))["error_rate_interval"] for run in drawn]
    in_summary = block_of(looked_at(whole, 50, seed=7))["error_rate_interval"]
    assert in_summary == pytest.approx(around[7], abs=1e-8)
    assert sum(one["low"] <= truth <= one["high"] for one in around) >= 36
    lucky = looked_at(whole, 2_000, seed=3)
    assert block_of(lucky)["error_rate_interval"]["high"] > truth


@pytest.mark.parametrize(
    ("gate", "verdicts"),
    [
        ("error_rate < 12%", {"FAIL", "INCONCLUSIVE"}),
        ("unexpected_rate < 5%", {"FAIL", "INCONCLUSIVE"}),
        ("error_rate{cause=expectation} < 5%", {"FAIL", "INCONCLUSIVE"}),
        ("error_rate{outcome=unexpected,cause=expectation} < 5%", {"FAIL", "INCONCLUSIVE"}),
        ("within(100s) > 90%", {"FAIL", "INCONCLUSIVE"}),
        ("error_rate < 30%", {"PASS"}),
        ("errors < 1000000", {"NO_DATA"}),
        ("errors < 10", {"FAIL"}),
    ],
)
def test_a_gate_passes_nothing_that_was_not_looked_at(whole: LoadedRun, gate: str, verdicts: set[str]) -> None:
    """The counts alone would pass the first five."""
    (result,) = evaluate([parse(gate)], summarise(looked_at(whole, 20), deadlines_ms=(1e5,)))
    assert str(result.verdict) in verdicts, result.sentence


def test_where_nothing_was_looked_at_nothing_is_known(whole: LoadedRun) -> None:
    """As of a worker that was killed before its first look."""
    summary = summarise(looked_at(whole, 0))
    assert summary["variants"]["key"]["error_rate"] is None
    for gate in ("error_rate < 50%", "error_rate{cause=expectation} < 50%", "unexpected_rate < 50%"):
        (result,) = evaluate([parse(gate)], summary)
        assert str(result.verdict) == "NO_DATA", gate
    assert "0 were checked" in words.failure_sentence(summary)


def test_it_is_said_first(whole: LoadedRun) -> None:
    """On the first line of terminal, summary and report."""
    run = looked_at(whole, 20)
    checks = counts(run, "key")
    assert checks is not None
    said = words.failure_sentence(summarise(run))
    assert f"of {checks['answers']:,} answers the bodies of {checks['checked']:,} were checked" in said
    assert "10 % of a core" in said


class _Asking(dict[str, Any]):
    """A run's memo, by way of which somebody else asks right after each thing that is kept."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._ask()


def test_two_threads_ask_at_once(whole: LoadedRun) -> None:
    """Variants are summarised side by side: what one has begun to keep is whole for the other."""
    answers: list[bool] = []
    run = replace(whole, memo=_Asking(lambda: answers.append(on_a_sample(run, run.measured))))
    assert on_a_sample(run, run.measured) is False
    assert answers == [False]

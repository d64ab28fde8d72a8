"""The catalogue is whole: every word that a run can hold has a title and a help text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import metrics
from bench.analysis.run import METRICS
from bench.gates.result import GateVerdict
from bench.sample import Cause, Outcome

WIRE = Path(metrics.__file__).parent / "load"


def test_every_outcome_and_cause_has_words() -> None:
    """Those of the samples' nouns, and those the wire makes up."""
    assert set(metrics.OUTCOMES) == set(Outcome)
    assert {cause for cause in Cause if cause} <= set(metrics.CAUSES)
    wire = "".join(path.read_text(encoding="utf-8") for path in sorted((WIRE / "wire").glob("*.py")))
    made = set(re.findall(r'(?:return|_lost\(|_finish\(|Word\() ?"([a-z_]+)"', wire)) - {"timeout"}
    assert made
    assert made <= set(metrics.CAUSES)


def test_words_are_plain_and_end_without_a_stop() -> None:
    """They stand in the middle of sentences."""
    for words in metrics.GLOSSARY.values():
        for word in words.values():
            assert word.title
            assert word.help
            assert not word.help.endswith(".")


def test_the_lists_elsewhere_are_the_catalogue() -> None:
    """Summary keys and verdicts."""
    assert tuple(metrics.DURATIONS) == METRICS
    assert set(metrics.GATE_VERDICTS) == set(GateVerdict)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (("unexpected", "http_404", 404), "404 Not Found"),
        (("unexpected", "http_308", 308), "308 Permanent Redirect"),
        (("unexpected", "http_499", 499), "499"),
        (("auth_failure", "expired", 401), "401 credential expired"),
        (("auth_failure", "refused", 401), "401 refused"),
        (("auth_failure", "no_lease", 0), "no credential"),
        (("throttled", "rate", 429), "429 too many a second"),
        (("throttled", "tokens", 429), "429 too many tokens a minute"),
        (("timed_out", "client", 0), "no answer in time"),
        (("timed_out", "client", 200), "no answer in time, answer with status 200 cut off"),
        (("timed_out", "model", 408), "408 the model took too long"),
        (("transport_error", "refused", 0), "connection refused"),
        (("transport_error", "closed", 200), "connection closed, answer with status 200 cut off"),
        (("transport_error", "brand_new", 0), "transport error: brand new"),
    ],
)
def test_a_failure_is_named_in_one_breath(kind: tuple[str, str, int], said: str) -> None:
    """Status with its phrase, or the cause in plain words; also what a newer version wrote."""
    assert metrics.kind_of_failure(*kind) == said

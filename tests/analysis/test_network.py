"""Round trips, addresses and what bandwidth held back, out of health lines; and what the reader is shown of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench.analysis import network
from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.report import network_words
from tests.analysis.run_files import way
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]
SHORT: dict[str, Any] = {"rate": 50, "duration_s": 6.0, "warm_up_s": 2.0}
KEY = (Side("key"),)
HELD: dict[str, Any] = {"variant": "key", "answers": 5, "request_ms": 10.0, "response_ms": 100.0}


@pytest.mark.parametrize(
    "options",
    [{}, {"health": False}, {"ways": (way("key", round_trip_ms=None),)}],
    ids=["an older version's health", "no health at all", "a system that does not tell"],
)
def test_what_is_not_known_is_said(make_run: MakeRun, options: dict[str, Any]) -> None:
    """Null in the summary, words in the text, never a number."""
    run = make_run(sides=KEY, **SHORT, **options)
    summary = summarise(run)
    found = summary["variants"]["key"]["network"]
    assert found is None or found["round_trip_ms"] is None
    assert math.isnan(network.round_trip_ms(run, "key"))
    (said,) = network_words.sentences(summary)
    assert said.endswith("not known, for the client's system does not report it (Linux's TCP_INFO)")


def test_each_variant_has_its_own(make_run: MakeRun) -> None:
    """The sentence names the far end, and what had to be sent again."""
    ways = (way("key", round_trip_ms=10.26), way("aml_token", round_trip_ms=12.0, sent_again=1))
    summary = summarise(make_run(**SHORT, ways=ways))
    end = "to the first TCP end (a proxy, or Azure's front door)"
    assert network_words.sentences(summary) == [
        f"key: round trip 10.26 ms {end}",
        f"aml_token: round trip 12.00 ms {end}, 8 TCP segments sent again",
    ]


def test_variants_of_one_way_share_a_sentence(make_run: MakeRun) -> None:
    """It is said once."""
    ways = tuple(way(name, round_trip_ms=1.0) for name in ("key", "aml_token"))
    (said,) = network_words.sentences(summarise(make_run(**SHORT, ways=ways)))
    assert said.startswith("key and aml_token: round trip 1.00 ms")


def test_several_addresses_are_listed_with_their_connections(make_run: MakeRun) -> None:
    """The busiest first, over all workers; the variant's round trip is weighted by connections."""
    ways = (
        way("key", to="10.0.0.1:443", round_trip_ms=10.0, connections=1),
        way("key", to="10.0.0.2:443", round_trip_ms=20.0, connections=3),
    )
    summary = summarise(make_run(sides=KEY, workers=2, **SHORT, ways=ways))
    assert summary["variants"]["key"]["network"]["round_trip_ms"] == 17.5
    said = network_words.sentences(summary)[1]
    assert said == (
        "connections to 2 addresses: 10.0.0.2:443 (6 at once, 16 opened, 20.00 ms) and "
        "10.0.0.1:443 (2 at once, 16 opened, 10.00 ms)"
    )


def test_what_bandwidth_held_back_is_reported_for_the_measured_part(make_run: MakeRun) -> None:
    """Six seconds and the one that closes them, of two that are warm-up before: means over those answers."""
    summary = summarise(make_run(sides=KEY, **SHORT, held_back=(HELD,)))
    assert summary["variants"]["key"]["held_back"] == {"answers": 30, "request_ms": 2.0, "response_ms": 20.0}
    assert network_words.sentences(summary)[-1] == (
        "10 % of the answers say that the endpoint's bandwidth limit held them back, by 2.00 ms for the request and "
        "20.00 ms for the answer on average"
    )


def test_an_older_summary_says_nothing(make_run: MakeRun) -> None:
    """Nor do several runs as one."""
    summary = summarise(make_run(sides=KEY, **SHORT))
    del summary["variants"]["key"]["network"]
    assert network_words.sentences(summary) == []

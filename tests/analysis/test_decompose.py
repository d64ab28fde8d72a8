"""Where a difference comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from bench.analysis import compare, decompose, refresh_time
from bench.analysis.decompose import Decomposition
from bench.analysis.run import LoadedRun
from bench.analysis.verdicts import Estimate, Verdict
from tests.analysis.run_files import way
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


def decomposed(run: LoadedRun) -> Decomposition:
    overall = compare.variants(run, "key", "aml_token").response_time_ms
    return decompose.of(run, "key", "aml_token", overall, min_effect_ms=0.2)


def test_the_parts_add_up_to_the_difference_of_the_means(two_sides: LoadedRun) -> None:
    """Exactly for the mean, and nearly at p50 and p99."""
    overall = compare.variants(two_sides, "key", "aml_token").response_time_ms
    found = {breakdown.at: breakdown for breakdown in decomposed(two_sides).breakdowns}
    assert list(found) == ["p50", "p99", "mean"]
    sums = {at: sum(part.estimate or 0.0 for part in one.difference_ms.values()) for at, one in found.items()}
    assert sums["mean"] == pytest.approx(overall["mean"].estimate, abs=1e-6)
    assert sums["p50"] == pytest.approx(overall["p50"].estimate, abs=0.05)
    assert sum(found["mean"].baseline_ms.values()) == pytest.approx(13.0, abs=0.2)


def test_a_cost_inside_the_server_is_found_there(two_sides: LoadedRun) -> None:
    """The server's own time grew by 0.5 ms; its interval says so, and so does the sentence."""
    found = decomposed(two_sides)
    server = found.breakdowns[0].difference_ms["server_time"]
    assert server.low is not None
    assert server.high is not None
    assert server.low < 0.5 < server.high
    assert "aml_token costs 0.5" in found.sentence
    assert found.sentence.endswith("all of it in the server")


def test_a_parts_interval_at_a_quantile_is_not_narrower_than_the_quantiles_own(two_sides: LoadedRun) -> None:
    """When one part carries all of a difference, it is as uncertain as the difference."""
    overall = compare.variants(two_sides, "key", "aml_token").response_time_ms["p50"]
    server = decomposed(two_sides).breakdowns[0].difference_ms["server_time"]
    widths = [(one.high or 0.0) - (one.low or 0.0) for one in (server, overall)]
    assert widths[0] == pytest.approx(widths[1], rel=0.25)


def test_waiting_for_credentials_is_found_in_lease_wait(make_run: MakeRun) -> None:
    """Pauses at refreshes cost on the mean, and nowhere but in lease_wait."""
    side = Side("aml_token", refresh_every_s=2.0, refresh_pause_ms=150.0)
    parts = {one.at: one for one in decomposed(make_run(sides=(Side("key"), side))).breakdowns}["mean"].difference_ms
    assert parts["lease_wait"].verdict is Verdict.WORSE
    assert parts["connect"].verdict is parts["schedule_lag"].verdict is Verdict.EQUIVALENT


def test_a_server_that_does_not_tell_leaves_the_rest_whole(make_run: MakeRun) -> None:
    """No server_time part is made up; the sentence does not speak of the server."""
    sides = (Side("key", tells_server_time=False), Side("aml_token", shift_ms=0.5))
    found = decomposed(make_run(sides=sides))
    assert list(found.breakdowns[0].difference_ms) == ["schedule_lag", "lease_wait", "connect", "rest"]
    assert found.sentence.endswith("all of it on the way and in front of the model")


def test_the_rest_is_split_by_the_round_trip(make_run: MakeRun) -> None:
    """One round trip is network, what is left is the front end; both together are the rest that there was before."""
    ways = tuple(way(name, round_trip_ms=0.1) for name in ("key", "aml_token"))
    split, whole = (decomposed(make_run(ways=given)).breakdowns[-1].baseline_ms for given in (ways, ()))
    assert list(split) == ["schedule_lag", "lease_wait", "connect", "server_time", "network", "front_end"]
    assert split["network"] == pytest.approx(0.1)
    assert split["network"] + split["front_end"] == pytest.approx(whole["rest"])


def test_a_round_trip_that_cannot_be_is_cut_to_the_rest(make_run: MakeRun) -> None:
    """A server that claims more than it took, or a way that became shorter: never a negative part."""
    ways = tuple(way(name, round_trip_ms=400.0) for name in ("key", "aml_token"))
    parts = decomposed(make_run(ways=ways)).breakdowns[-1].baseline_ms
    assert parts["front_end"] == pytest.approx(0.0, abs=1e-9)
    assert sum(parts.values()) == pytest.approx(13.0, abs=0.2)


def test_a_round_trip_of_one_variant_alone_splits_nothing(make_run: MakeRun) -> None:
    """Nothing is guessed for the other one; a null is no round trip either."""
    ways = (way("key", round_trip_ms=0.1), way("aml_token", round_trip_ms=None))
    assert "network" not in decomposed(make_run(ways=ways)).breakdowns[-1].baseline_ms


def test_a_silent_server_leaves_network_and_rest(make_run: MakeRun) -> None:
    """The remainder is not called front end, for the model is in it."""
    sides = tuple(Side(name, tells_server_time=False) for name in ("key", "aml_token"))
    ways = tuple(way(name, round_trip_ms=2.0) for name in ("key", "aml_token"))
    parts = decomposed(make_run(sides=sides, ways=ways)).breakdowns[-1].baseline_ms
    assert list(parts)[-2:] == ["network", "rest"]
    assert parts["network"] == pytest.approx(2.0)


def test_no_difference_is_said_as_such(make_run: MakeRun) -> None:
    """An interval around 0 is not dressed up as a cost."""
    found = decomposed(make_run(sides=(Side("key"), Side("aml_token"))))
    assert found.sentence.startswith("no cost of aml_token over key shows at p50")


def test_too_few_samples_are_said_as_such(make_run: MakeRun) -> None:
    """With a handful of samples there is no breakdown and no claim."""
    found = decomposed(make_run(rate=4, duration_s=4))
    assert found.sentence == "too few samples to say what aml_token costs over key"
    assert found.breakdowns == ()


def test_parts_that_share_the_cost_are_each_named() -> None:
    """The largest first, each with its sign."""

    def part(estimate: float) -> Estimate:
        return Estimate(estimate=estimate, low=estimate - 0.01, high=estimate + 0.01, verdict=Verdict.WORSE)

    parts = {"lease_wait": part(0.1), "server_time": part(0.2), "rest": part(0.005)}
    breakdown = decompose.Breakdown(at="p50", baseline_ms={}, candidate_ms={}, difference_ms=parts)
    said = decompose.sentence("key", "aml_token", part(0.3), [breakdown])
    assert said.endswith("[+0.290, +0.310], +0.200 ms in the server, +0.100 ms waiting for a credential")


def test_bytes_on_the_wire_are_reported(two_sides: LoadedRun) -> None:
    """A token makes the request a kilobyte longer."""
    found = decomposed(two_sides)
    assert found.request_bytes == {"key": 312.0, "aml_token": 1312.0}
    assert found.response_bytes == {"key": 180.0, "aml_token": 180.0}


def test_pauses_at_refreshes_stand_out_against_quiet_time(make_run: MakeRun) -> None:
    """Requests near a refresh are slower, and the mean pays exactly their share of it."""
    side = Side("aml_token", refresh_every_s=2.0, refresh_pause_ms=150.0)
    run = make_run(sides=(side,))
    found = refresh_time.of(run, "aml_token")
    assert found is not None
    assert found.near.p50_ms > 2 * found.quiet.p50_ms
    assert found.quiet.p99_ms < 40
    total = found.near.samples + found.quiet.samples
    assert total == 12_000
    mean = (found.near.samples * found.near.mean_ms + found.quiet.samples * found.quiet.mean_ms) / total
    assert found.cost_ms == pytest.approx(mean - found.quiet.mean_ms)


def test_without_refreshes_there_is_no_time_around_them(two_sides: LoadedRun) -> None:
    """The initial flight of the key is not a refresh."""
    assert refresh_time.of(two_sides, "key") is None


def test_a_sample_is_near_a_refresh_until_its_effect_is_over(make_run: MakeRun) -> None:
    """From the start of a flight until 100 ms after its end, also where a longer flight outlasts a later one."""
    run = make_run(sides=(Side("key"),), rate=1_000, duration_s=10, warm_up_s=0)
    flights = tuple(
        {"variant": "key", "cause": "stale", "started_ns": start * 10**6, "ended_ns": end * 10**6}
        for start, end in ((2_000, 4_000), (3_000, 3_100), (6_000, 6_500))
    )
    found = refresh_time.of(dataclasses.replace(run, flights=flights, memo={}), "key")
    assert found is not None
    assert found.near.samples == pytest.approx(2_100 + 600 + 2 * 13, abs=15)

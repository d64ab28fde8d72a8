"""The schedule, as a table: happy block, then sad block. No clock is read, so nothing here can be late."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.endpoint import AuthMode
from bench.load.engine.arrivals import Arrival, due_times_ns, schedule, variant_order
from bench.plan.load_over_time import asked_rate, stages_of
from bench.plan.run_plan import RunPlan, Stage, Variant

BOTH = tuple(Variant(name=mode.value, auth_mode=mode) for mode in (AuthMode.KEY, AuthMode.AML_TOKEN))
ONE = BOTH[:1]


def plan(**changes: object) -> RunPlan:
    return RunPlan(**({"target": "emulator", "variants": ONE} | changes))  # type: ignore[arg-type] # checked by use


def stages(*triples: tuple[float, float, float]) -> tuple[Stage, ...]:
    """(duration_s, start_rate, end_rate) each."""
    return tuple(Stage(duration_s=d, start_rate=a, end_rate=b) for d, a, b in triples)


def expected_by(t_s: float, of: Sequence[Stage]) -> float:
    """Arrivals expected by `t_s`: the integral of the rate, written down independently of the code under test."""
    total = 0.0
    for stage in of:
        here = min(max(t_s, 0.0), stage.duration_s)
        total += here * stage.start_rate + (stage.end_rate - stage.start_rate) * here**2 / (2 * stage.duration_s)
        t_s -= stage.duration_s
    return total


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (stages((10, 100, 100)), 1000),
        (stages((1, 3, 3)), 3),
        (stages((0.1, 30, 30)), 3),
        (stages((7, 1 / 7, 1 / 7)), 1),
        (stages((60, 0.7, 0.7)), 42),
        (stages((3600, 4000, 4000)), 14_400_000),
        (stages((10, 0, 100)), 500),
        (stages((10, 100, 0)), 500),
        (stages((2, 10, 10), (2, 50, 50), (2, 10, 10)), 140),
        (stages((1, 10, 10), (5, 0, 0), (1, 10, 10)), 20),
        (stages((3, 1 / 3, 1 / 3), (3, 1 / 3, 1 / 3), (3, 1 / 3, 1 / 3)), 3),
        # sad: as little as can be asked for
        (stages((60, 0.001, 0.001)), 1),
        (stages((0.001, 1, 1)), 1),
        (stages((10, 0, 0)), 0),
        (stages((1e-9, 1e-9, 1e-9)), 0),
        ((), 0),
    ],
)
def test_the_count_is_exact(shape: tuple[Stage, ...], count: int) -> None:
    """As many arrivals as the integral of the rate, the first of them when it begins; no rounding adds or drops one."""
    if count > 1_000_000:
        shape = stages((shape[0].duration_s / 100, shape[0].start_rate, shape[0].end_rate))
        count //= 100
    assert sum(1 for _ in due_times_ns(shape, arrivals="constant", seed=0)) == count


def test_constant_spacing_is_even() -> None:
    """Every gap is the same to the nanosecond, however long it runs; the first arrival is due at once."""
    dues = list(itertools.islice(due_times_ns(stages((math.inf, 4000, 4000)), arrivals="constant", seed=0), 100_000))
    assert dues == [k * 250_000 for k in range(100_000)]


@pytest.mark.parametrize(
    "shape",
    [
        stages((10, 0, 100)),
        stages((10, 100, 0)),
        stages((5, 200, 20)),
        stages((5, 0, 300), (5, 300, 300), (5, 300, 0)),
        stages((10, 100, 100.0000001)),
        stages((1, 5, 5), (2, 0, 0), (3, 50, 70)),
    ],
)
def test_a_ramp_follows_the_integral_of_its_rate(shape: tuple[Stage, ...]) -> None:
    """The k-th arrival is due when k arrivals were to be expected, in order and within the stages."""
    dues = list(due_times_ns(shape, arrivals="constant", seed=0))
    assert dues == sorted(dues)
    for k, due_ns in enumerate(dues):
        assert expected_by(due_ns / 1e9, shape) == pytest.approx(k, abs=1e-5)
    assert dues[-1] < sum(stage.duration_s for stage in shape) * 1e9


def test_nothing_is_due_while_the_rate_is_zero() -> None:
    """A pause is a pause: nothing saved up, no burst after it."""
    dues = list(due_times_ns(stages((1, 10, 10), (5, 0, 0), (1, 10, 10)), arrivals="constant", seed=0))
    assert [due for due in dues if 10**9 <= due < 6 * 10**9] == []
    assert dues[10] == 6 * 10**9
    assert set(itertools.starmap(int.__sub__, zip(dues[11:], dues[10:], strict=False))) == {10**8}


def ks_distance(unit_gaps: Sequence[float]) -> float:
    """Kolmogorov-Smirnov distance between a sample and the exponential distribution of mean 1."""
    ordered = sorted(unit_gaps)
    n = len(ordered)
    truth = [-math.expm1(-gap) for gap in ordered]
    return max(max((k + 1) / n - F, F - k / n) for k, F in enumerate(truth))


def ks_limit(n: int) -> float:
    """What the distance of a true sample exceeds once in a thousand times."""
    return 1.95 / math.sqrt(n)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "shape",
    [
        stages((50, 100, 100)),
        stages((50, 0, 200)),
        stages((20, 50, 50), (20, 300, 0), (10, 100, 150)),
    ],
)
def test_poisson_gaps_are_exponential(shape: tuple[Stage, ...], seed: int) -> None:
    """In time measured by the expected count they are exponential of mean 1, ramps included, and the count fits."""
    dues = list(due_times_ns(shape, arrivals="poisson", seed=seed))
    marks = [expected_by(due / 1e9, shape) for due in dues]
    gaps = [later - earlier for earlier, later in itertools.pairwise([0.0, *marks])]
    assert ks_distance(gaps) < ks_limit(len(gaps))
    expected = expected_by(math.inf, shape)
    assert abs(len(dues) - expected) < 4 * math.sqrt(expected)
    # neighbours know nothing of each other
    centred = [gap - 1 for gap in gaps]
    correlation = sum(a * b for a, b in itertools.pairwise(centred)) / sum(a * a for a in centred)
    assert abs(correlation) < 4 / math.sqrt(len(gaps))


def test_a_poisson_run_does_not_begin_with_a_burst() -> None:
    """The wait for the first arrival is as random as any other, over many seeds."""
    shape = stages((1000, 1, 1))
    firsts = [next(due_times_ns(shape, arrivals="poisson", seed=seed)) / 1e9 for seed in range(500)]
    assert ks_distance(firsts) < ks_limit(500)


def test_the_test_of_poisson_can_fail() -> None:
    """Even spacing, and gaps of another mean, are found out."""
    assert ks_distance([1.0] * 1000) > ks_limit(1000)
    even = [-math.log1p(-(k + 0.5) / 1000) for k in range(1000)]
    assert ks_distance(even) < ks_limit(1000)
    assert ks_distance([gap * 1.3 for gap in even]) > ks_limit(1000)


def test_a_seed_is_a_schedule() -> None:
    """The same seed gives the same run, another one another run, whatever else random numbers are drawn for."""
    runs = [list(schedule(plan(arrival_rate=50.0, arrivals="poisson", variants=BOTH, seed=s))) for s in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert [arrival.due_ns for arrival in runs[0]] != [arrival.due_ns for arrival in runs[2]]
    assert [arrival.variant for arrival in runs[0]][:100] != [arrival.variant for arrival in runs[2]][:100]


plans = st.builds(
    lambda shape, arrivals, variants, seed: plan(stages=shape, arrivals=arrivals, variants=variants, seed=seed),
    st.lists(
        st.builds(
            lambda d, a, b: Stage(duration_s=d, start_rate=a, end_rate=b),
            st.floats(0.01, 5),
            st.floats(0, 40),
            st.floats(0, 40),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    st.sampled_from(("constant", "poisson")),
    st.sampled_from((ONE, BOTH, (*BOTH, Variant(name="key#2", auth_mode=AuthMode.KEY)))),
    st.integers(0, 1000),
)


@given(what=plans, workers=st.integers(1, 7))
@settings(max_examples=100)
def test_workers_split_one_schedule(what: RunPlan, workers: int) -> None:
    """Each arrival is some worker's and only that worker's, each worker's are in order, and shares differ by one."""
    whole = list(schedule(what))
    shares = [list(schedule(what, worker=index, workers=workers)) for index in range(workers)]
    assert sorted(itertools.chain(*shares), key=lambda arrival: arrival.number) == whole
    assert [arrival.number for arrival in whole] == list(range(len(whole)))
    for share in shares:
        assert share == sorted(share)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(what=plans)
@settings(max_examples=100)
def test_no_plan_breaks_the_schedule(what: RunPlan) -> None:
    """Due times are in order, none before the start, none after the end, as many as expected."""
    dues = [arrival.due_ns for arrival in schedule(what)]
    total_s = sum(stage.duration_s for stage in what.stages)
    assert dues == sorted(dues)
    assert all(0 <= due <= total_s * 1e9 + 1 for due in dues)
    if what.arrivals == "constant":
        assert len(dues) == math.ceil(max(expected_by(math.inf, what.stages) - 1e-9, 0))


@pytest.mark.parametrize("variants", [1, 2, 3])
def test_variants_come_in_blocks(variants: int) -> None:
    """Each block has each variant once, so that drift hits all alike; the order in a block is random."""
    order = list(itertools.islice(variant_order(variants, seed="7"), variants * 1000))
    blocks = [tuple(order[start : start + variants]) for start in range(0, len(order), variants)]
    assert all(sorted(block) == list(range(variants)) for block in blocks)
    assert len(set(blocks)) == math.factorial(variants)
    for block in set(blocks):
        assert blocks.count(block) == pytest.approx(1000 / math.factorial(variants), rel=0.25)


def test_a_comparison_alternates_within_each_pair() -> None:
    """Two neighbours in the schedule are one of each variant."""
    arrivals = list(schedule(plan(arrival_rate=100.0, variants=BOTH, duration_s=5.0, warm_up_s=0.0)))
    pairs = list(zip(arrivals[::2], arrivals[1::2], strict=True))
    assert all({first.variant, second.variant} == {0, 1} for first, second in pairs)
    assert {first.variant for first, _ in pairs} == {0, 1}


def test_a_plain_rate_is_one_stage_over_warm_up_and_duration() -> None:
    """The warm-up is part of the schedule, and it counts from zero."""
    what = plan(arrival_rate=10.0, warm_up_s=2.0, duration_s=3.0)
    assert stages_of(what) == stages((5, 10, 10))
    arrivals = list(schedule(what))
    assert arrivals[0] == Arrival(due_ns=0, number=0, variant=0)
    assert len(arrivals) == 50


def test_a_run_without_end_has_arrivals_without_end() -> None:
    """`--duration 0`."""
    what = plan(arrival_rate=10.0, duration_s=None)
    assert sum(1 for _ in itertools.islice(schedule(what), 10_000)) == 10_000


def test_the_closed_model_has_no_schedule() -> None:
    """Nothing is due there."""
    assert list(schedule(plan())) == []
    assert asked_rate(plan(), from_s=0, to_s=10) == 0


@pytest.mark.parametrize(
    ("shape", "from_s", "to_s", "rate"),
    [
        (stages((10, 100, 100)), 0, 10, 100),
        (stages((10, 0, 100)), 0, 10, 50),
        (stages((10, 0, 100)), 5, 10, 75),
        (stages((10, 0, 100)), 4, 4.5, 42.5),
        (stages((5, 10, 10), (5, 30, 30)), 0, 10, 20),
        (stages((5, 10, 10), (5, 30, 30)), 5, 10, 30),
        (stages((math.inf, 7, 7)), 100, 200, 7),
        # sad: windows that are empty, or lie beyond the end
        (stages((10, 100, 100)), 5, 5, 0),
        (stages((10, 100, 100)), 9, 8, 0),
        (stages((10, 100, 100)), 10, 20, 0),
        (stages((10, 100, 100)), 5, 15, 50),
    ],
)
def test_the_rate_asked_for(shape: tuple[Stage, ...], from_s: float, to_s: float, rate: float) -> None:
    """The mean rate of a window is its integral over its length."""
    what = plan(stages=shape)
    assert asked_rate(what, from_s=from_s, to_s=to_s) == pytest.approx(rate)

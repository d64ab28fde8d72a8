"""The gate language: what it accepts, what it means, and what it says of a mistake."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.gates.expression import parse
from bench.gates.gate import Bound, Comparison, Gate, check
from bench.metrics import METRICS, UNITS, Kind, Metric

SPELLED = [
    ("response_time.p99 < 250ms", "response_time", "p99", "", "<", (0, 250)),
    ("response_time.p99.9<0.25s", "response_time", "p99.9", "", "<", (0, 250)),
    ("service_time.mean <= 800us", "service_time", "mean", "", "<=", (0, 0.8)),
    ("lease_wait.max < 1 ms", "lease_wait", "max", "", "<", (0, 1)),
    ("server_time.p50{variant=key#2} > 0", "server_time", "p50", "key#2", ">", (0, 0)),
    ("schedule_lag.p99 < 1ms", "schedule_lag", "p99", "", "<", (0, 1)),
    ("auth_failure_rate == 0", "auth_failure_rate", "", "", "==", (0, 0)),
    ("ok_rate == 100%", "ok_rate", "", "", "==", (0, 1)),
    ("error_rate{variant=key} <= 0.1%", "error_rate", "", "key", "<=", (0, 0.001)),
    ("error_rate { variant = aml_token } <= 0.1 %", "error_rate", "", "aml_token", "<=", (0, 0.001)),
    ("achieved_rate >= 98%", "achieved_rate", "", "", ">=", (0, 0.98)),
    ("overhead.p99 < 5ms", "overhead", "p99", "", "<", (0, 5)),
    ("refresh_failures == 0", "refresh_failures", "", "", "==", (0, 0)),
    ("throughput >= 450/s", "throughput", "", "", ">=", (0, 450)),
    ("response_time.p99 <= baseline", "response_time", "p99", "", "<=", (1, 0)),
    ("response_time.p99 <= baseline + 10%", "response_time", "p99", "", "<=", (1.1, 0)),
    ("response_time.p99 <= baseline+2ms", "response_time", "p99", "", "<=", (1, 2)),
    ("throughput >= baseline - 5%", "throughput", "", "", ">=", (0.95, 0)),
    ("error_rate <= baseline + 0.1%", "error_rate", "", "", "<=", (1, 0.001)),
]


@pytest.mark.parametrize(("text", "metric", "quantile", "variant", "comparison", "line"), SPELLED)
def test_an_expression_means_what_it_says(
    text: str, metric: str, quantile: str, variant: str, comparison: str, line: tuple[float, float]
) -> None:
    """Every form of the grammar gives the gate it writes, with its threshold in the summary's units."""
    gate = parse(text)
    assert (gate.metric.name, gate.quantile, gate.variant, gate.comparison) == (metric, quantile, variant, comparison)
    assert tuple(float(part) for part in gate.bound.line(gate.metric.kind)) == line
    assert parse(str(gate)) == gate


def test_a_class_is_named_plainly_or_in_quotes() -> None:
    """What a task may call itself can be asked for; what is not measured by class is refused."""
    for text, named in (("large", "large"), ('"GET /item"', "GET /item"), ('"a}=,b"', "a}=,b"), ('"large"', "large")):
        gate = parse(f"response_time.p99{{variant=key, class={text}}} < 1s")
        assert (gate.variant, gate.request_class) == ("key", named)
        assert parse(str(gate)) == gate


MISTAKES = [
    ("refreshes{class=large} == 0", "unknown label 'class' at character 11", "the only label is {variant=NAME}"),
    ("schedule_lag.p99{class=large} < 1ms", "unknown label 'class' at character 18", "{variant=NAME}"),
    ("error_rate{class=} < 1%", "class has no value at character 18", "{class=VALUE}"),
    ('error_rate{class="large} < 1%', "class has no value at character 18", "{class=VALUE}"),
    ('error_rate{class=""} < 1%', "class has no value at character 18", "{class=VALUE}"),
    ("", "a metric is missing at its end", "response_time, service_time"),
    ("p99 < 3ms", "unknown metric 'p99' at character 1", "metrics: "),
    ("  response_tim.p99 < 3ms", "unknown metric 'response_tim' at character 3", "did you mean response_time?"),
    ("response_time < 3ms", "a quantile is missing at character 15", "p50, p90, p95, p99, p99.9, mean, max"),
    ("response_time.p98 < 3ms", "unknown quantile 'p98' at character 15", "p50, p90, p95, p99, p99.9, mean, max"),
    ("overhead.max < 3ms", "unknown quantile 'max' at character 10", "overhead has p50"),
    ("error_rate.p99 < 1%", "error_rate has no quantiles at character 11", "write error_rate alone"),
    ("error_rate{endpoint=key} < 1%", "unknown label 'endpoint' at character 12", "{variant=NAME}"),
    ("error_rate{variant=key < 1%", "the variant's name is not closed at character 24", "{variant=key}"),
    ("overhead.p99{variant=key} < 1ms", "overhead is of the whole run", "leave {variant=} out"),
    ("error_rate 1%", "a comparison is missing at character 12", "< <= > >= =="),
    ("error_rate = 0", "unknown comparison '=' at character 12", "< <= > >= =="),
    ("error_rate <=", "a number is missing at its end", "10%"),
    ("error_rate <= -1%", "a number is missing at character 15", "10%"),
    ("error_rate <= 0.001", "a unit is missing at its end", "error_rate wants 10%"),
    ("error_rate <= 101%", "a rate of 101% does not exist", "0% to 100%"),
    ("response_time.p99 < 250", "a unit is missing at its end", "10us or 10ms or 10s"),
    ("response_time.p99 < 4min", "unknown unit 'min' at character 22", "10us or 10ms or 10s"),
    ("response_time.p99 < 10%", "unknown unit '%' at character 23", "10us or 10ms or 10s"),
    ("throughput >= 450", "a unit is missing at its end", "10/s"),
    ("requests >= 10/s", "unknown unit '/s' at character 15", "requests wants 10"),
    ("response_time.p99 == 3ms", "would hold only by accident at character 19", "<= or >="),
    ("error_rate == 1%", "would hold only by accident at character 12", "0% or 100%"),
    ("error_rate <= 1% and more", "'and more' is too much at character 18", "one gate"),
    ("error_rate <= " + "9" * 400 + "%", "the number is too long at character 15", "30 digits"),
]


@pytest.mark.parametrize(("text", "problem", "hint"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_what_could_stand_there(text: str, problem: str, hint: str) -> None:
    """Exit code 2, the character, and the words that exist: enough to mend the gate without the manual."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    assert problem in caught.value.message
    assert hint in caught.value.hint


def test_the_error_names_where_the_gate_was_written() -> None:
    """A gate of a settings file is not blamed on the command line."""
    with pytest.raises(UsageError, match=r"^bench\.toml gates 'nonsense'"):
        parse("nonsense", where="bench.toml gates")


RUN = {"variants": ("key", "aml_token"), "open_model": True, "has_baseline": True}


@pytest.mark.parametrize(
    ("text", "run", "problem"),
    [
        ("error_rate{variant=aad_token} <= 1%", RUN, "no variant 'aad_token'"),
        ("overhead.p50 < 1ms", RUN | {"variants": ("key",)}, "this run has 1"),
        ("achieved_rate >= 98%", RUN | {"open_model": False}, "needs a rate that was asked for"),
        ("response_time.p99 <= baseline + 10%", RUN | {"has_baseline": False}, "no baseline"),
        ("errors{class=lrge} == 0", RUN | {"classes": ("small", "large", "")}, "no class 'lrge' of requests"),
        ("errors{class=large} == 0", RUN | {"classes": ()}, "no class 'large' of requests"),
    ],
)
def test_a_gate_the_run_cannot_answer_is_refused_before_it_starts(text: str, run: dict, problem: str) -> None:
    """What the plan already rules out is a usage error, not a gate without data ten minutes later."""
    check([parse(text)], **(RUN | {"variants": ("key", "aml_token", "aad_token")}))
    with pytest.raises(UsageError, match=problem):
        check([parse(text)], **run)


@given(st.text(max_size=60))
def test_any_text_is_a_gate_or_a_usage_error(text: str) -> None:
    """Whatever is typed, nothing but a Gate or a UsageError of one line comes out."""
    _gate_or_usage_error(text)


_PIECES = [*METRICS, *" .{}=<>!%/+-", "<=", "==", ".p99", ".p99.9", ".mean", "{variant=key}", "baseline", "+ 10%"]
_NUMBERS = ["0", "10", "0.1", "1e9", "٣", "9" * 60, "ms", "us", "s", "/s", "%", "\n", "\x00"]


@given(st.lists(st.sampled_from(_PIECES + _NUMBERS), max_size=9))
def test_any_shuffle_of_the_languages_own_words_is_a_gate_or_a_usage_error(pieces: list[str]) -> None:
    """Nearly right expressions, where a parser breaks, do not break it."""
    _gate_or_usage_error("".join(pieces))


def _gate_or_usage_error(text: str) -> None:
    found = _parsed(text)
    if isinstance(found, UsageError):
        assert "\n" not in found.describe()
        assert found.hint
    else:
        assert parse(str(found)) == found


def _parsed(text: str) -> Gate | UsageError:
    try:
        return parse(text)
    except UsageError as error:
        return error


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    metric: Metric = draw(st.sampled_from(list(METRICS.values())))
    on_baseline = draw(st.booleans())
    units = tuple(UNITS[metric.kind]) + (("%",) if on_baseline else ())
    number = draw(st.decimals(min_value=0, max_value=100, places=draw(st.integers(0, 6))))
    if on_baseline and draw(st.booleans()):
        number = -number
    bound = Bound(number=number, unit=draw(st.sampled_from(units)), on_baseline=on_baseline)
    comparison = draw(st.sampled_from([each for each in Comparison if each is not Comparison.EQUAL]))
    return Gate(
        metric=metric,
        quantile=draw(st.sampled_from(metric.quantiles)) if metric.quantiles else "",
        variant=draw(st.sampled_from(["", "key", "aml_token", "key#2"])) if metric.per_variant else "",
        comparison=comparison,
        bound=Bound(number=Decimal(0), on_baseline=True) if on_baseline and not number else bound,
        deadline=Bound(number=Decimal(draw(st.integers(1, 999))), unit="ms") if metric.deadline else None,
    )


@given(gates())
def test_a_gate_is_read_back_from_what_it_prints(gate: Gate) -> None:
    """The expression in a report can be copied to the command line and means the same."""
    assert parse(str(gate)) == gate


def test_a_threshold_equals_the_share_it_writes_to_the_last_bit() -> None:
    """7 failures in 1,000 meet `<= 0.7%`: the threshold is not a hair below because of binary fractions."""
    for events in range(1001):
        factor, offset = parse(f"error_rate <= {events / 10}%").bound.line(Kind.RATE)
        assert factor == 0
        assert float(offset) == events / 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("within >= 99%", "a deadline is missing at character 8"),
        ("within() >= 99%", "a number is missing"),
        ("within(250) >= 99%", "a unit is missing"),
        ("within(250 >= 99%", "a unit is missing"),
        ("within(250ms >= 99%", "the deadline is not closed"),
        ("within(0ms) >= 99%", "a deadline of 0 is met by nothing"),
        ("within(5%) >= 99%", "unknown unit '%'"),
        ("within(250ms) >= 99ms", "unknown unit 'ms'"),
        ("within(250ms).p99 >= 99%", "within has no quantiles"),
        ("error_rate(250ms) >= 99%", "error_rate has no deadline"),
    ],
)
def test_a_deadline_that_cannot_be_read_is_named(text: str, said: str) -> None:
    """Before the first request, with the place."""
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(text)


def test_a_deadline_is_read_in_its_unit() -> None:
    """Blanks mean nothing, and a variant may follow."""
    gate = parse("within( 0.25 s ) {variant=key} >= 99.5%")
    assert (gate.deadline_ms, gate.variant) == (250.0, "key")
    assert str(gate) == "within(0.25s){variant=key} >= 99.5%"
    assert parse("error_rate <= 1%").deadline_ms is None

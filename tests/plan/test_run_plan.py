"""The two small grammars, and a plan's way to the manifest and back."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.run_plan import RunPlan, Stage, Variant, parse_duration_s, parse_stages
from bench.sample import WorkloadModel


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("2m", 120),
        ("1h", 3600),
        ("1m30s", 90),
        ("1m 30s", 90),
        ("1h2m3s4ms", 3723.004),
        ("90", 90),
        ("0.5", 0.5),
        ("1.5m", 90),
        (" 10S ", 10),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """As people write them."""
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "ms", "soon", "10 s later", "-5s", "5d", "1,5s", "5s,", "1e3", "inf", "nan", "0x10", "5ss", "5 min"],
)
def test_what_is_no_duration(text: str) -> None:
    """The error names the option and shows how to write one."""
    with pytest.raises(UsageError) as caught:
        parse_duration_s(text, option="--warm-up")
    assert caught.value.describe().startswith("--warm-up: ")
    assert "30s" in caught.value.hint


@pytest.mark.parametrize("text", ["10 10", "1 0s", "10 5s"])
def test_a_number_with_a_gap_is_no_duration(text: str) -> None:
    """It is a slip of the hand, not a thousand seconds."""
    with pytest.raises(UsageError):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "ms"])
def test_a_duration_is_finite(text: str) -> None:
    """Infinity is not something to wait for."""
    with pytest.raises(UsageError):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("30s@100", [(30, 100, 100)]),
        ("1m@100..1000", [(60, 100, 1000)]),
        ("30s@100, 1m@100..1000,10s@2000", [(30, 100, 100), (60, 100, 1000), (10, 2000, 2000)]),
        ("10@0..5", [(10, 0, 5)]),
        ("10@5..0", [(10, 5, 0)]),
        ("1s@1,5s@0,1s@1", [(1, 1, 1), (5, 0, 0), (1, 1, 1)]),
        ("500ms@0.5..1.5", [(0.5, 0.5, 1.5)]),
    ],
)
def test_stages(text: str, stages: list[tuple[float, float, float]]) -> None:
    """Steps, ramps, pauses."""
    assert parse_stages(text) == tuple(Stage(duration_s=d, start_rate=a, end_rate=b) for d, a, b in stages)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not a stage"),
        ("30s", "not a stage"),
        ("@100", "not a stage"),
        ("30s@", "not a stage"),
        ("30s@-5", "not a stage"),
        ("30s@100..", "not a stage"),
        ("30s@1..2..3", "not a stage"),
        ("30s@100,", "not a stage"),
        ("30s@1e3", "not a stage"),
        ("soon@100", "not a duration"),
        ("0s@100", "lasts no time"),
        ("30s@0", "no stage sends anything"),
        ("30s@0,10s@0..0", "no stage sends anything"),
    ],
)
def test_what_is_no_stage(text: str, word: str) -> None:
    """The error names the option and the part that cannot be read."""
    with pytest.raises(UsageError, match=word) as caught:
        parse_stages(text)
    assert "--stages" in caught.value.describe()


@given(text=st.text(max_size=30) | st.from_regex(r"\A[0-9mshd. ]{0,12}\Z"))
@example(text="٣s")
@example(text="1ms1")
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    """And a duration is a finite time, not a negative one."""
    try:
        seconds = parse_duration_s(text)
    except UsageError:
        return
    assert 0 <= seconds < math.inf


@given(text=st.text(max_size=40) | st.from_regex(r"\A[0-9ms@., ]{0,30}\Z"))
def test_any_text_is_stages_or_a_usage_error(text: str) -> None:
    """And stages take time and send something."""
    try:
        stages = parse_stages(text)
    except UsageError:
        return
    assert all(0 < stage.duration_s < math.inf for stage in stages)
    assert any(stage.start_rate or stage.end_rate for stage in stages)


stages = st.builds(
    lambda d, a, b: Stage(duration_s=d, start_rate=a, end_rate=b),
    st.floats(0.001, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
plans = st.builds(
    RunPlan,
    target=st.sampled_from(("emulator", "endpoint", "scoring_uri")),
    variants=st.lists(
        st.builds(
            Variant,
            name=st.text(max_size=9),
            auth_mode=st.sampled_from(AuthMode),
            endpoint=st.text(max_size=9),
            scoring_uri=st.text(max_size=9),
        ),
        max_size=3,
    ).map(tuple),
    users=st.integers(1, 10**6),
    arrival_rate=st.none() | st.floats(0.001, 1e6),
    arrivals=st.sampled_from(("constant", "poisson")),
    stages=st.lists(stages, max_size=3).map(tuple),
    duration_s=st.none() | st.floats(0.001, 1e6),
    payload=st.text(max_size=9),
    deployment=st.text(max_size=9),
    seed=st.integers(0, 2**40),
)


@given(plan=plans)
def test_a_plan_survives_the_manifest(plan: RunPlan) -> None:
    """Through JSON, to a worker or a later reader, it is the same plan."""
    assert RunPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_what_a_newer_version_adds_is_ignored() -> None:
    """An old reader of a new manifest, and the reverse: what is missing has its default."""
    plan = RunPlan(target="emulator", variants=())
    values = plan.as_json()
    assert RunPlan.from_json({**values, "colour": "blue"}) == plan
    assert RunPlan.from_json({"target": "emulator", "variants": []}) == plan


def test_the_model_follows_from_the_plan() -> None:
    """Open as soon as there is a schedule; it is in the manifest."""
    stage = Stage(duration_s=1, start_rate=1, end_rate=1)
    assert RunPlan(target="t", variants=()).model is WorkloadModel.CLOSED
    assert RunPlan(target="t", variants=(), arrival_rate=1.0).model is WorkloadModel.OPEN
    assert RunPlan(target="t", variants=(), stages=(stage,)).model is WorkloadModel.OPEN
    assert RunPlan(target="t", variants=()).as_json()["model"] == "closed"

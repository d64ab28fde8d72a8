"""A run's options, whoever gives them: never anything but a plan or one clear line."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.options import RUN_OPTIONS
from bench.plan.reading import auth_modes_of, is_on, plan_of
from bench.plan.run_plan import (
    DEFAULT_DURATION_S,
    DEFAULT_TIMEOUT_S,
    DEFAULT_USERS,
    DEFAULT_WARM_UP_S,
    RunPlan,
    Stage,
    Variant,
)

KEY, TOKEN = AuthMode.KEY, AuthMode.AML_TOKEN


def plan(**values: Any) -> RunPlan:
    return plan_of(values, target="emulator", variants=(), payload_sha256="")


def test_nothing_given_is_the_default_of_everything() -> None:
    """And empty texts are nothing given: a web form sends them."""
    assert plan() == RunPlan(target="emulator", variants=())
    assert plan(**{option.dest: "" for option in RUN_OPTIONS}) == plan()
    assert plan(**{option.dest: None for option in RUN_OPTIONS}) == plan()


def test_the_defaults_shown_are_the_defaults_used() -> None:
    """What `--help` and the form say is what an empty option means."""
    shown = {option.dest: option.default for option in RUN_OPTIONS if option.default}
    assert plan(**shown) == plan()
    defaults = (plan().users, plan().duration_s, plan().warm_up_s, plan().timeout_s)
    assert defaults == (DEFAULT_USERS, DEFAULT_DURATION_S, DEFAULT_WARM_UP_S, DEFAULT_TIMEOUT_S)


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"users": "7"}, "users", 7),
        ({"users": 7}, "users", 7),
        ({"arrival_rate": "12.5"}, "arrival_rate", 12.5),
        ({"arrivals": "poisson", "arrival_rate": "1"}, "arrivals", "poisson"),
        ({"duration": "2m"}, "duration_s", 120),
        ({"duration": "0"}, "duration_s", None),
        ({"warm_up": "0"}, "warm_up_s", 0),
        ({"warm_up": "auto"}, "warm_up_s", 30),
        ({"warm_up": "AUTO:2m"}, "warm_up_s", 120),
        ({"warm_up": "auto"}, "warm_up_auto", True),
        ({"warm_up": "5s"}, "warm_up_auto", False),
        ({"timeout": "250ms"}, "timeout_s", 0.25),
        ({"stages": "10s@1..5", "warm_up": "2s"}, "duration_s", 8),
        ({"stages": "10s@1..5"}, "stages", (Stage(duration_s=10, start_rate=1, end_rate=5),)),
        ({"seed": "42"}, "seed", 42),
        ({"processes": "2"}, "processes", 2),
        ({"deployment": " blue "}, "deployment", "blue"),
        ({"payload": "x.json"}, "payload", "x.json"),
        ({"ca_file": "ca.pem"}, "ca_file", "ca.pem"),
        ({"min_effect": "2ms"}, "min_effect_ms", 2),
        ({}, "trace_share", None),
        ({"traceparent": "0"}, "trace_share", 0),
        ({"traceparent": "0.05"}, "trace_share", 0.05),
        ({"traceparent": "5%"}, "trace_share", 0.05),
    ],
)
def test_each_option_has_its_place_in_the_plan(given: dict[str, Any], field: str, value: Any) -> None:
    """Text from anywhere, numbers from Locust's own parser."""
    assert getattr(plan(**given), field) == value


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"users": "0"}, "--users"),
        ({"users": "-1"}, "--users"),
        ({"users": "many"}, "--users"),
        ({"users": "nan"}, "--users"),
        ({"users": "inf"}, "--users"),
        ({"arrival_rate": "0"}, "--arrival-rate"),
        ({"arrival_rate": "-5"}, "--arrival-rate"),
        ({"arrival_rate": "fast"}, "--arrival-rate"),
        ({"arrivals": "even", "arrival_rate": "1"}, "--arrivals"),
        ({"duration": "soon"}, "--duration"),
        ({"warm_up": "-1s"}, "--warm-up"),
        ({"warm_up": "auto:"}, "--warm-up"),
        ({"warm_up": "auto:0"}, "--warm-up"),
        ({"warm_up": "auto:long"}, "--warm-up"),
        ({"warm_up": "auto:99999999h"}, "--warm-up"),
        ({"warm_up": "automatic"}, "--warm-up"),
        ({"warm_up": "auto", "stages": "60s@5"}, "--warm-up auto"),
        ({"timeout": "0"}, "--timeout"),
        ({"stages": "10s"}, "--stages"),
        ({"stages": "10s@5", "arrival_rate": "5"}, "exclude each other"),
        ({"stages": "10s@5", "warm_up": "10s"}, "--warm-up"),
        ({"seed": "-1"}, "--seed"),
        ({"min_effect": "0"}, "--min-effect"),
        ({"processes": "0"}, "--processes"),
        ({"traceparent": "some"}, "--traceparent"),
        ({"traceparent": "nan"}, "--traceparent"),
        ({"traceparent": "-0.1"}, "--traceparent"),
        ({"traceparent": "101%"}, "--traceparent"),
        ({"deployment": "a b"}, "--deployment"),
        ({"deployment": "a\r\nX-Injected: 1"}, "--deployment"),
        ({"deployment": "grün"}, "--deployment"),
    ],
)
def test_what_cannot_be_read_is_named(given: dict[str, Any], word: str) -> None:
    """One line that names the option."""
    with pytest.raises(UsageError) as caught:
        plan(**given)
    assert word in caught.value.describe()
    assert "\n" not in caught.value.describe()


def test_no_users_at_all_is_refused_however_it_is_said() -> None:
    """`locust -u 0` gives the number, `bench run --users 0` the text."""
    with pytest.raises(UsageError, match="--users"):
        plan(users=0)


@pytest.mark.parametrize("name", ["users", "processes", "seed"])
def test_what_is_counted_is_whole(name: str) -> None:
    """Two and a half users are a mistake."""
    with pytest.raises(UsageError, match=f"--{name}"):
        plan(**{name: "2.5"})


texts = st.text(max_size=12) | st.sampled_from(("0", "1", "-1", "1e9", "nan", "inf", "5s", "1m@2", "10s@1..5", "key"))


@given(
    values=st.dictionaries(
        st.sampled_from([option.dest for option in RUN_OPTIONS]),
        texts | st.integers(-5, 10**9) | st.floats() | st.booleans() | st.none(),
    )
)
@settings(max_examples=300)
def test_any_values_give_a_plan_or_a_usage_error(values: dict[str, Any]) -> None:
    """And a plan can be run: finite, and with somebody to run it."""
    try:
        made = plan(**values)
    except UsageError:
        return
    assert made.users >= 1
    assert made.processes >= 1
    assert 0 < made.timeout_s < math.inf
    assert 0 <= made.warm_up_s < math.inf
    assert made.duration_s is None or 0 < made.duration_s < math.inf
    assert made.arrival_rate is None or 0 < made.arrival_rate < math.inf


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("", (TOKEN,)),
        (" , ", (TOKEN,)),
        ("key", (KEY,)),
        ("key,aml_token", (KEY, TOKEN)),
        (" KEY , Aad_Token ", (KEY, AuthMode.AAD_TOKEN)),
        ("key,key", (KEY, KEY)),
    ],
)
def test_auth_modes(text: str, modes: tuple[AuthMode, ...]) -> None:
    """One, two to compare, or the locustfile's own."""
    assert auth_modes_of(text, default=(TOKEN,)) == modes


@pytest.mark.parametrize("text", ["token", "key;aml_token", "key aml_token", "none"])
def test_what_is_no_auth_mode(text: str) -> None:
    """The error lists what there is."""
    with pytest.raises(UsageError) as caught:
        auth_modes_of(text, default=(KEY,))
    assert "key, aml_token, aad_token" in caught.value.describe()


@pytest.mark.parametrize(
    ("value", "on"),
    [
        *((value, True) for value in (True, "1", "true", "True", " yes ", "on")),
        *((value, False) for value in (False, None, "", "0", "false", "no", "off", "2", 0)),
    ],
)
def test_switches(value: Any, on: bool) -> None:
    """From a command line, an environment variable or a form."""
    assert is_on(value) is on


def test_options_have_names_of_their_own() -> None:
    """Flags, environment variables and help; no option's name says where a secret would go."""
    assert len({option.flag for option in RUN_OPTIONS}) == len(RUN_OPTIONS)
    assert len({option.env for option in RUN_OPTIONS}) == len(RUN_OPTIONS)
    for option in RUN_OPTIONS:
        assert option.help
        assert option.env.startswith("BENCH_")
        assert not {"secret", "token", "key", "password"} & set(option.name.removeprefix("client-key").split("-"))


@pytest.mark.parametrize(
    ("users", "processes", "words"),
    [("1", "1", "fewer than one for each variant"), ("5", "3", "each of 2 variants in 3 processes")],
)
def test_a_variant_without_a_user_is_refused(users: str, processes: str, words: str) -> None:
    """Each user belongs to one variant, and each process sends its share of each."""
    two = tuple(Variant(name=mode.value, auth_mode=mode) for mode in (AuthMode.KEY, AuthMode.AML_TOKEN))
    with pytest.raises(UsageError, match=words) as caught:
        plan_of({"users": users, "processes": processes}, target="", variants=two, payload_sha256="")
    assert caught.value.exit_code == 2
    assert plan_of({"users": "6", "processes": "3"}, target="", variants=two, payload_sha256="").users == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("processes", "99"),
        ("warm_up", "99999999h"),
        ("duration", "99999h"),
        ("arrival_rate", "1e9"),
        ("users", "1000000"),
        ("stages", "10s@2000000"),
        ("seed", "9" * 30),
        ("timeout", "9999h"),
    ],
)
def test_a_slip_of_the_hand_names_the_limit(name: str, value: str) -> None:
    """Beyond every machine and every patience: refused, with what is possible."""
    with pytest.raises(UsageError) as refused:
        plan_of({name: value}, target="", variants=(), payload_sha256="")
    assert "at most" in refused.value.describe()

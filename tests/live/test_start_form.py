"""A form and the options that Locust was started with, to the options of a run."""

from __future__ import annotations

from typing import Any

import pytest

from bench.errors import UsageError
from bench.live.shown_form import fields
from bench.live.start_form import StartForm
from bench.plan.options import RUN_OPTIONS

STARTED: dict[str, Any] = {
    **{option.dest: option.default for option in RUN_OPTIONS if not option.locust},
    "emulator": True,
    "arrival_rate": "20",
    "num_users": 5,
    "spawn_rate": 100.0,
    "run_time": None,
    "profile": None,
    "tenant": "blue",
    "colours": ["red", "green"],
    "csv_prefix": None,
    "allow_from_browser": False,
}
USERS = {"user_count": ["5"], "spawn_rate": ["100"]}


def form(**changes: Any) -> StartForm:
    return StartForm(
        started={**STARTED, **changes},
        choices={"user_classes": {"KeyUser"}},
        hosts={"the endpoint's own"},
        authored={"tenant", "colours"},
    )


def test_nothing_asked_is_as_started() -> None:
    """An empty form, and one whose fields are empty."""
    assert form().read({}).options == STARTED
    empty = {name: [""] for name in ("arrival_rate", "stages", "duration", "user_count", "spawn_rate", "seed")}
    assert form().read(empty).options == STARTED


def test_what_is_asked_for_wins() -> None:
    """And Locust is shown the same."""
    asked = form().read({**USERS, "user_count": ["8"], "arrival_rate": [" 50 "], "warm_up": ["0s"]})
    assert asked.options == {
        **STARTED,
        "num_users": "8",
        "spawn_rate": "100",
        "arrival_rate": "50",
        "warm_up": "0s",
        "stages": "",
    }
    shown = dict(asked.fields)
    assert (shown["user_count"], shown["arrival_rate"], shown["duration"]) == ("8", "50", STARTED["duration"])
    assert not shown.keys() & {"emulator", "scoring_uri", "payload", "out", "host"}


def test_stages_take_the_place_of_the_rate_that_was_started() -> None:
    """They exclude each other; who empties one and fills in the other means the other."""
    options = form().read({"arrival_rate": [""], "stages": ["5s@10"]}).options
    assert (options["arrival_rate"], options["stages"]) == ("", "5s@10")


def test_a_page_may_send_what_it_shows() -> None:
    """Locust's page sends every field, also those that cannot be changed."""
    untouched = {
        "host": ["the endpoint's own"],
        "run_time": [""],
        "profile": [""],
        "tenant": ["blue"],
        "colours": ["red", "green"],
        "emulator": ["true"],
        "spawn_rate": ["100"],
    }
    assert form().read(untouched).options == {**STARTED, "spawn_rate": "100"}
    assert dict(form().read(untouched).fields).keys().isdisjoint({"host", "tenant", "emulator"})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("host", ["http://evil.example"]),
        ("host", ["", "http://evil.example"]),
        ("run_time", ["20s"]),
        ("profile", ["x"]),
        ("tenant", ["green"]),
        ("colours", ["red"]),
        ("emulator", ["false"]),
        ("emulator", ["true", "true"]),
        ("scoring_uri", ["http://evil.example"]),
        ("scoring_uri", ["", "http://evil.example"]),
        ("csv_prefix", ["/etc/x"]),
        ("num_users", ["9"]),
        ("user_classes", ["KeyUser", "OtherUser"]),
        ("seed", ["1", "2"]),
        ("arrival_rate", []),
    ],
)
def test_the_rest_is_refused_by_name(name: str, values: list[str]) -> None:
    """Also when the second of two values is the bad one."""
    with pytest.raises(UsageError, match=name):
        form().read({**USERS, name: values})


def test_the_class_picker_s_classes_may_be_chosen() -> None:
    """Where there is one; without it nobody knows what the field would do."""
    chosen = {"user_classes": ["KeyUser"]}
    assert ("user_classes", "KeyUser") in form().read(chosen).fields
    with pytest.raises(UsageError, match="user_classes"):
        StartForm(started=STARTED, choices={}).read(chosen)


def test_allowed_from_the_browser() -> None:
    """Whoever started Locust said so: every option of ours and of the locustfile, but none of Locust's own."""
    allowing = form(allow_from_browser=True)
    wanted = {"scoring_uri": ["http://a/"], "emulator": ["false"], "tenant": ["green"], "out": ["elsewhere"]}
    options = allowing.read(wanted).options
    assert {name: options[name] for name in wanted} == {name: values[0] for name, values in wanted.items()}
    for name in ("csv_prefix", "allow_from_browser", "num_users"):
        with pytest.raises(UsageError, match=name):
            allowing.read({name: ["x"]})


def test_a_run_that_goes_on_changes_its_load_only() -> None:
    """And says which field it cannot change (F4), instead of leaving it unread."""
    running = form().read({"arrival_rate": ["50"]}).options
    same = form().read({"user_count": ["9"], "arrival_rate": ["50"], "duration": [""]}, running=running)
    assert same.options == {**running, "num_users": "9"}
    assert form().read({"arrival_rate": ["20"]}, running=running).options == {**running, "arrival_rate": "20"}
    for name, value in (("duration", "9s"), ("stages", "9s@9"), ("seed", "4"), ("warm_up", "3s"), ("scoring_uri", "x")):
        with pytest.raises(UsageError, match=f"{name} cannot be (changed while a run goes on|set from a browser)"):
            form().read({"user_count": ["9"], name: [value]}, running=running)


def test_the_form_shows_what_may_be_set_and_was_set_last() -> None:
    """In the table's order; what names a target is not there."""
    locusts = {"tenant": {"default_value": "blue"}, "arrival_rate": {"default_value": ""}}
    shown = fields(locusts, form().may_set, {**STARTED, "arrival_rate": "50"})
    assert list(shown)[:3] == ["arrival_rate", "arrivals", "stages"]
    assert shown["arrival_rate"]["default_value"] == "50"
    assert shown["arrivals"]["choices"] == ["constant", "poisson"]
    assert shown["tenant"] == {"default_value": "blue"}
    assert shown.keys().isdisjoint({"emulator", "payload", "out", "scoring_uri"})
    everything = fields(locusts, form(allow_from_browser=True).may_set, STARTED)
    assert everything["emulator"]["default_value"] is True
    assert everything.keys() >= {"payload", "out", "scoring_uri"}

"""Command line > environment > profile > file > default, and questions that have one answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from bench.plan.options import SETTABLE_OPTIONS, Option
from bench.settings.precedence import DEFAULT, Setting, environment_layer, settle

BY_NAME = {option.dest: option for option in SETTABLE_OPTIONS}
LAYERS = ("command line", "environment", "profile", "file")


def settled(*layers: Mapping[str, str | bool]) -> dict[str, Setting]:
    named = [
        {name: Setting(value, LAYERS[number]) for name, value in layer.items()} for number, layer in enumerate(layers)
    ]
    return settle(SETTABLE_OPTIONS, named)


@pytest.mark.parametrize("option", SETTABLE_OPTIONS, ids=lambda option: option.name)
def test_each_option_in_each_layer(option: Option) -> None:
    """The first layer that names an option decides, whichever layers below it do too; without any the default does."""
    values: list[str | bool] = [True, False, True, False] if option.switch else ["1", "2", "3", "4"]
    for present in itertools.product((True, False), repeat=4):
        layers = [{option.dest: value} if here else {} for value, here in zip(values, present, strict=True)]
        found = settled(*layers)[option.dest]
        if any(present):
            first = present.index(True)
            assert found == Setting(values[first], LAYERS[first])
        else:
            assert found.source == DEFAULT
            assert found.value in ((False,) if option.switch else (option.default,))


@pytest.mark.parametrize(
    ("high", "low", "set_aside"),
    [
        ({"emulator": True}, {"endpoint": "shop", "scoring_uri": "https://h/s"}, ("endpoint", "scoring_uri")),
        ({"scoring_uri": "https://h/s"}, {"endpoint": "shop", "auth_mode": "key"}, ("endpoint",)),
        ({"endpoint": "shop"}, {"emulator": True}, ("emulator",)),
        ({"stages": "10s@5"}, {"arrival_rate": "5"}, ("arrival_rate",)),
        ({"arrival_rate": "5"}, {"arrivals_from": "trace.csv"}, ("arrivals_from",)),
        ({"payload": "x.json"}, {"requests": "mix.jsonl"}, ("requests",)),
    ],
)
def test_who_answers_a_question_sets_aside_the_other_answers(
    high: dict[str, str | bool], low: dict[str, str | bool], set_aside: tuple[str, ...]
) -> None:
    """`bench run --emulator` beside a file that names an endpoint is no contradiction, and no secret goes elsewhere."""
    found = settled(high, {}, low)
    assert {name: found[name].value for name in high} == high
    assert all(found[name].source == DEFAULT and not found[name].value for name in set_aside)
    kept = low.keys() - set(set_aside)
    assert {name: found[name].value for name in kept} == {name: low[name] for name in kept}


def test_two_answers_in_one_layer_stay() -> None:
    """Whoever reads the options says that they exclude each other, or go together as --endpoint with --scoring-uri."""
    found = settled({}, {}, {}, {"endpoint": "shop", "scoring_uri": "https://h/s"})
    assert (found["endpoint"].value, found["scoring_uri"].value) == ("shop", "https://h/s")


@pytest.mark.parametrize("nothing", [{"emulator": False}, {"endpoint": ""}])
def test_no_answer_sets_nothing_aside(nothing: dict[str, str | bool]) -> None:
    assert settled(nothing, {}, {}, {"scoring_uri": "https://h/s"})["scoring_uri"].value == "https://h/s"


def test_an_empty_text_in_a_profile_means_the_default() -> None:
    """So that a profile can take back what the file says."""
    found = settled({}, {}, {"arrival_rate": "", "duration": ""}, {"arrival_rate": "5", "duration": "1s"})
    assert found["arrival_rate"].value == ""
    assert found["duration"].value == BY_NAME["duration"].default


def test_a_variable_that_is_empty_says_nothing_and_a_switch_can_be_one() -> None:
    layer = environment_layer(SETTABLE_OPTIONS, {"BENCH_DURATION": "", "BENCH_EMULATOR": "true", "BENCH_USERS": "3"})
    assert {name: setting.source for name, setting in layer.items()} == {
        "emulator": "BENCH_EMULATOR",
        "users": "BENCH_USERS",
    }
    assert settle(SETTABLE_OPTIONS, [layer])["emulator"].value is True

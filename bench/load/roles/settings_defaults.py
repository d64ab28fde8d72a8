"""What `bench.toml` says to a Locust that was started by hand. Edge: reads the file.

Locust's parser takes command line and environment by itself; the file becomes its defaults. Locust's own `--profile`,
which labels a run, chooses the file's profile too, where the file has any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.plan.options import MOST_USERS, Option
from bench.plan.reading import plan_of
from bench.settings.file import CONFIG_VARIABLE, PROFILE_VARIABLE, documents_in, read_settings
from bench.settings.precedence import COMMAND_LINE, DEFAULT, Layer, Setting, environment_layer, settle


def defaults(options: Sequence[Option], words: Sequence[str], environment: Mapping[str, str]) -> dict[str, str | bool]:
    """What the file says of options that neither the words nor the environment name.

    For options that are Locust's own it reads our variables, too, which Locust does not. UsageError for a broken file,
    and for numbers of those options that cannot be.
    """
    named = environment.get(CONFIG_VARIABLE, "")
    labelled = _value_of("--profile", words) if any(one.profiles for one in documents_in(Path(), named=named)) else ""
    settings = read_settings(Path(), named=named, profile=labelled or environment.get(PROFILE_VARIABLE, ""))
    layers = [_given(options, words), environment_layer(options, environment), *settings.layers()]
    locusts = {option.dest for option in options if option.locust}
    elsewhere = {*layers[0], *(layers[1].keys() - locusts)}
    settled = settle(options, layers)
    found = {
        name: setting.value for name, setting in settled.items() if name not in elsewhere and setting.source != DEFAULT
    }
    numbers = {"users": found.get("users", str(MOST_USERS)), "processes": found.get("processes", "1"), "warm_up": "0"}
    plan_of(numbers, target="", variants=(), payload_sha256="")
    return found


def _given(options: Sequence[Option], words: Sequence[str]) -> Layer:
    names = {word.partition("=")[0] for word in words}
    return {
        option.dest: Setting(True if option.switch else COMMAND_LINE, COMMAND_LINE)
        for option in options
        if option.flag in names
    }


def _value_of(flag: str, words: Sequence[str]) -> str:
    for number, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name == flag:
            return value if sign else next(iter(words[number + 1 : number + 2]), "")
    return ""

"""Which value of an option counts: command line, environment, profile, file, default, in this order. Pure.

Options that exclude each other are settled together: who names a target, a rate or a payload on the command line sets
aside what a lower layer says of the same question, and two that are named in one layer contradict each other, which is
reported where the options are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.plan.options import Option
from bench.plan.reading import is_on

COMMAND_LINE = "command line"
DEFAULT = "default"

_ONE_QUESTION = (
    frozenset({"emulator", "endpoint", "scoring_uri"}),
    frozenset({"arrival_rate", "stages", "arrivals_from"}),
    frozenset({"payload", "requests"}),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What an option is, and where that came from. A switch is a bool."""

    value: str | bool
    source: str


Layer = Mapping[str, Setting]
"""By `Option.dest`, what one place says."""


def environment_layer(options: Iterable[Option], environment: Mapping[str, str]) -> Layer:
    """Of the variables; an empty one says nothing."""
    return {
        option.dest: Setting(environment[option.env], option.env) for option in options if environment.get(option.env)
    }


def settle(options: Sequence[Option], layers: Sequence[Layer]) -> dict[str, Setting]:
    """The setting of each option; `layers` begin with the one that counts most. An empty text means the default."""
    settled = {}
    for option in options:
        found = next((layer[option.dest] for layer in _heard(option, layers) if option.dest in layer), None)
        if found is None or found.value == "":
            found = Setting(option.default, DEFAULT if found is None else found.source)
        settled[option.dest] = Setting(is_on(found.value), found.source) if option.switch else found
    return settled


def _heard(option: Option, layers: Sequence[Layer]) -> Sequence[Layer]:
    """The layers down to the first that answers the question to which this option is one of the answers."""
    question = next((names for names in _ONE_QUESTION if option.dest in names), None)
    if question is None:
        return layers
    for number, layer in enumerate(layers):
        if any(_names(layer[name]) for name in question if name in layer):
            return layers[: number + 1]
    return layers


def _names(setting: Setting) -> bool:
    value = setting.value
    return value if isinstance(value, bool) else value.strip().lower() not in {"", "false", "0", "no", "off"}

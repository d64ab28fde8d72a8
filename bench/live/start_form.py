"""What a browser may ask of a run: numbers and choices of the load, and nothing that names a target or a file. Pure.

A run's options are those that Locust was started with, plus what the form says about the load. A field left empty
means what was started. `--allow-from-browser` opens the rest of the harness's options, and the locustfile's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError
from bench.plan.options import RUN_OPTIONS
from bench.plan.reading import is_on

_LOCUST_NUMBERS = {"user_count": "num_users", "spawn_rate": "spawn_rate"}
"""Locust's own numbers of the load: the field's name, the option's."""
_CHOSEN = ("user_classes", "shape_class")
_RATE_OR_STAGES = {"arrival_rate": "stages", "stages": "arrival_rate"}
_CHANGING = {*_LOCUST_NUMBERS, "arrival_rate"}
"""The fields that mean something while a run goes on."""
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """`options` of the run, and the `fields` that Locust is to be shown of the form."""

    options: Mapping[str, Any]
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartForm:
    """The form of one Locust process.

    `started` are the options it was started with. `choices`: the names that the class picker offers, by field.
    `hosts`: what Locust's form shows as Host, which means nothing here. `authored`: the locustfile's own options.
    """

    started: Mapping[str, Any]
    choices: Mapping[str, Collection[str]]
    hosts: Collection[str] = ()
    authored: Collection[str] = ()

    @property
    def may_set(self) -> frozenset[str]:
        """The options that a browser may set, by their names in the form."""
        every = is_on(self.started.get("allow_from_browser"))
        ours = {option.dest for option in RUN_OPTIONS if not option.locust and (option.from_browser or every)}
        return frozenset(ours | ({"host", *self.authored} if every else set()))

    def read(self, form: Mapping[str, Sequence[str]], *, running: Mapping[str, Any] | None = None) -> Asked:
        """The run that `form` asks for; `running` are the options of the one under way: only its load changes.

        Raises UsageError with the name of the field that a browser may not set, or that is given twice.
        """
        base = running if running is not None else self.started
        given: dict[str, str] = {}
        chosen: list[tuple[str, str]] = []
        may_set = self.may_set
        for name, values in form.items():
            if name in _CHOSEN and name in self.choices:
                chosen += self._chosen(name, values)
            elif name not in may_set and name not in _LOCUST_NUMBERS:
                self._refuse_unless_as_started(name, values)
            elif len(values) != 1:
                raise UsageError(f"{_shown(name)} is given {len(values)} times", hint="give it once")
            else:
                given[name] = values[0].strip()
        asked = {name: value for name, value in given.items() if value}
        changed = dict(asked)
        for name, other in _RATE_OR_STAGES.items():
            if name in asked and other not in asked:
                changed[other] = ""
        options = {**base, **{_LOCUST_NUMBERS.get(name, name): value for name, value in changed.items()}}
        if running is not None:
            _refuse_changes(asked, running)
        numbers = tuple((field, str(options[option])) for field, option in _LOCUST_NUMBERS.items())
        ours = tuple((name, _text(options.get(name))) for name in sorted(may_set))
        return Asked(options, (*numbers, *ours, *chosen))

    def _chosen(self, name: str, values: Sequence[str]) -> list[tuple[str, str]]:
        unknown = [value for value in values if value not in self.choices[name]]
        if unknown:
            raise UsageError(f"{name}: {_shown(unknown[0])} is not one of {', '.join(sorted(self.choices[name]))}")
        return [(name, value) for value in values]

    def _refuse_unless_as_started(self, name: str, values: Sequence[str]) -> None:
        """Locust's page sends every field it shows, also those that nobody has touched: these change nothing."""
        if name == "host" and set(values) <= {"", *self.hosts}:
            return
        if name in self.started and _same(self.started[name], values):
            return
        if name == "run_time":
            if any(value.strip() for value in values):
                raise UsageError("run_time cannot be set: a run's length is its duration", hint="set duration instead")
            return
        hint = "give it where Locust is started"
        if any(option.dest == name for option in RUN_OPTIONS) or name in self.authored:
            hint += ", or start Locust with --allow-from-browser"
        raise UsageError(f"{_shown(name)} cannot be set from a browser", hint=hint)


def _refuse_changes(asked: Mapping[str, str], running: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if name not in _CHANGING and _text(running.get(name)) != value:
            raise UsageError(f"{_shown(name)} cannot be changed while a run goes on", hint="stop it, and start anew")


def _same(started: Any, values: Sequence[str]) -> bool:
    if isinstance(started, list | tuple):
        words = [_text(value) for value in started]
        return list(values) == words or list(values) == [",".join(words)]
    if len(values) != 1:
        return False
    if isinstance(started, int | float) and not isinstance(started, bool):
        try:
            return float(values[0]) == started
        except ValueError:
            return False
    return values[0].strip() == _text(started).strip()


def _text(value: Any) -> str:
    """As Locust's page sends it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _shown(name: str) -> str:
    """A stranger's word, for a message of one line."""
    return name if name.isidentifier() and len(name) <= _NAME_LENGTH else repr(name[:_NAME_LENGTH])

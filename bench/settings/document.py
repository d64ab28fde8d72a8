"""One settings file as values, checked against its schema, and all that is wrong in it. Edge of msgspec's types.

What a single option may say is checked here, by the code that reads it from a command line, so that a mistake is
reported with its line; which options go together is checked where a run's options are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench import schemas
from bench.errors import UsageError
from bench.plan.options import MOST_USERS, SETTABLE_OPTIONS, Option
from bench.plan.prompt_plan import NEED_PROMPT_TOKENS
from bench.plan.reading import auth_modes_of, plan_of
from bench.plan.run_plan import parse_duration_s
from bench.settings.lines import key_lines
from bench.settings.precedence import Layer, Setting
from bench.settings.secrets import CURE, is_secret_name, secret_in
from bench.spelling import nearest

_OPTIONS = {option.name: option for option in SETTABLE_OPTIONS}
_TABLES = ("gates", "run", "profiles")
_EXAMPLE = 'gates = ["response_time.p99 < 250ms"]'
_ALONE = {"users": str(MOST_USERS), "warm_up": "0"}
"""What lets any single option be checked without the others that it depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A gate: its expression and its name, and where it stands."""

    expression: str
    name: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one file says. `run` and each profile are by `Option.dest`; a profile in `profile_gates` has its own."""

    name: str
    run: Layer = field(default_factory=dict)
    profiles: Mapping[str, Layer] = field(default_factory=dict)
    gates: tuple[Rule, ...] = ()
    profile_gates: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    problems: tuple[UsageError, ...] = ()


def document_of(values: Any, text: str, *, name: str, below: tuple[str, ...] = ()) -> Document:
    """What the table at `below` says; `values` and `text` are of the whole file."""
    for key in below:
        values = values.get(key, {}) if isinstance(values, dict) else values
    return _Reader(key_lines(text), name=name, below=below).document(values)


class _Reader:
    """Gathers what is wrong instead of ending at the first."""

    def __init__(self, lines: Mapping[tuple[str, ...], int], *, name: str, below: tuple[str, ...]) -> None:
        self._lines = lines
        self._name = name
        self._below = below
        self._problems: list[UsageError] = []

    def document(self, values: Any) -> Document:
        if not isinstance(values, dict):
            self._problem((), "is not a table", hint=f"write {_EXAMPLE}")
            return Document(name=self._name, problems=tuple(self._problems))
        self._refuse_unknown((), values, _TABLES)
        profiles = self._table(("profiles",), values)
        tables = {name: self._table(("profiles", name), profiles) for name in profiles}
        return Document(
            name=self._name,
            run=self._options(("run",), self._table(("run",), values), extra=()),
            profiles={
                name: self._options(("profiles", name), table, extra=("gates",)) for name, table in tables.items()
            },
            gates=self._rules(("gates",), values["gates"]) if "gates" in values else (),
            profile_gates={
                name: self._rules(("profiles", name, "gates"), table["gates"])
                for name, table in tables.items()
                if "gates" in table
            },
            problems=self._all_problems(values),
        )

    def _all_problems(self, values: dict[str, Any]) -> tuple[UsageError, ...]:
        """The published schema has the last word."""
        if not self._problems and (fault := schemas.fault_of(values, schemas.Settings)):
            self._problem((), f"is not as its schema says: {fault}", hint="docs/schemas/settings.json has it")
        return tuple(self._problems)

    def _table(self, path: tuple[str, ...], within: Mapping[str, Any]) -> dict[str, Any]:
        table = within.get(path[-1], {})
        if isinstance(table, dict):
            return table
        self._problem(path[:-1], f"{path[-1]} is not a table", hint=f"write [{'.'.join(path)}]", at=path)
        return {}

    def _options(self, path: tuple[str, ...], table: dict[str, Any], *, extra: tuple[str, ...]) -> Layer:
        self._refuse_unknown(path, table, (*_OPTIONS, *extra))
        found = {}
        for name, value in table.items():
            if (option := _OPTIONS.get(name)) is None:
                continue
            try:
                text = _text_of(option, value)
                _check(option, text)
            except UsageError as exc:
                self._problem(path, exc.message.removeprefix("--"), hint=exc.hint, at=(*path, name))
            else:
                found[option.dest] = Setting(text, self._where(path, at=(*path, name)))
        return found

    def _rules(self, path: tuple[str, ...], value: Any) -> tuple[Rule, ...]:
        pairs: list[tuple[str, Any]]
        match value:
            case dict():
                pairs = list(value.items())
            case list():
                pairs = [("", expression) for expression in value]
            case _:
                self._problem(path[:-1], "gates is neither a list nor a table", hint=f"write {_EXAMPLE}", at=path)
                return ()
        rules = []
        for name, expression in pairs:
            where = self._where(path[:-1], at=(*path, name), otherwise=path)
            if isinstance(expression, str):
                rules.append(Rule(expression=expression, name=name, where=f"{where} gates"))
            else:
                self._problem(
                    path[:-1], f"gate {name or expression!r} is not text", hint=f"write {_EXAMPLE}", at=(*path, name)
                )
        return tuple(rules)

    def _refuse_unknown(self, path: tuple[str, ...], table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name in known:
                continue
            if is_secret_name(name):
                self._problem(path, f"{name[:40]!r} is a secret, which no file may hold", hint=CURE, at=(*path, name))
                continue
            meant = nearest(name, known) or nearest(name.replace("_", "-"), known)
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(_TABLES)}" if not path else _ALL
            if not path and not meant and (name in _OPTIONS or nearest(name, _OPTIONS)):
                hint = "options stand below [run]"
            self._problem(path, f"unknown key {name[:40]!r}", hint=hint, at=(*path, name))

    def _problem(self, path: tuple[str, ...], what: str, *, hint: str, at: tuple[str, ...] = ()) -> None:
        where = self._where(path, at=at)
        self._problems.append(UsageError(f"{where}{'' if what.startswith('is ') else ':'} {what}", hint=hint))

    def _where(self, path: tuple[str, ...], *, at: tuple[str, ...], otherwise: tuple[str, ...] = ()) -> str:
        """`bench.toml line 7 [profiles.smoke]`."""
        places = (place for place in (at, otherwise, path) if place)
        line = next(
            (self._lines[(*self._below, *place)] for place in places if (*self._below, *place) in self._lines), 0
        )
        table = ".".join((*self._below, *path))
        return f"{self._name}{f' line {line}' if line else ''}{f' [{table}]' if table else ''}"


_ALL = "`bench run --help` names all options"


def _text_of(option: Option, value: Any) -> str:
    """As the command line gives it. UsageError, without the place, for another type or a secret."""
    if option.switch:
        if isinstance(value, bool):
            return str(value).lower()
        raise UsageError(f"{option.name} is neither true nor false", hint=f"write {option.name} = true, without quotes")
    several = option.repeat or option.listed
    words = value if isinstance(value, list) and several else [value]
    for word in words:
        if isinstance(word, bool) or not isinstance(word, str | int | float):
            wanted = "text, or a list of texts" if several else "text or a number"
            raise UsageError(f"{option.name} is {_kind(word)}", hint=f"write {wanted}")
        if cure := secret_in(str(word)):
            raise UsageError(f"{option.name} holds a secret, which no file may", hint=cure)
    texts = [str(word) for word in words]
    if option.repeat:
        return json.dumps(texts) if isinstance(value, list) else texts[0]
    return ",".join(texts)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or a time"


def _check(option: Option, text: str) -> None:
    """UsageError when no run could have this."""
    if option.switch or not text.strip():
        return
    if option.choices and not option.repeat and text not in option.choices:
        raise UsageError(f"{option.name}: {text[:40]!r} is not one of {', '.join(option.choices)}")
    if option.name == "auth-mode":
        auth_modes_of(text, default=())
    elif option.name in {"sign-in-timeout", "extend-up-to"}:
        parse_duration_s(text, option=option.name)
    else:
        with_it = {"prompt_tokens": "1"} if option.dest in NEED_PROMPT_TOKENS else {}
        plan_of({**_ALONE, **with_it, option.dest: text}, target="", variants=(), payload_sha256="")

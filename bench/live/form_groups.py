"""The fields that start a run, as the live page shows them: in groups, each with its label, unit and help. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.plan.options import RUN_OPTIONS

_GROUPS = (
    ("Load", ("user_count", "spawn_rate", "arrival_rate", "arrivals", "stages", "speed", "timeout", "idle_timeout")),
    ("Time", ("warm_up", "duration")),
    ("Made prompts", ("prompt_tokens", "output_tokens", "shared_prefix", "prompts", "turns", "think_time")),
    ("Comparison", ("min_effect", "seed")),
)
_REST = "Everything else"
_UNITS = {"TIME": "a time: 500ms, 30s, 5m", "N": "a number", "LENGTH": "512, or 100..800", "TOKENS": "a number"}
_BY_NAME = {option.dest: option for option in RUN_OPTIONS}
_LOCUSTS = {
    "user_count": ("num_users", "users", "the cap on requests in flight"),
    "spawn_rate": (
        "spawn_rate",
        "users started a second",
        "how fast they come; with a rate all are there before the run's clock starts",
    ),
}
"""Fields that Locust's own form has: the option, its label and its help."""


def of(shown: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`shown` are the fields that a browser may set beside Locust's, with their values; `options` have Locust's."""
    fields = {name: _number(name, options) for name in _LOCUSTS}
    fields |= {name: _field(name, facts) for name, facts in shown.items() if not facts.get("is_secret")}
    groups = []
    for title, names in _GROUPS:
        groups.append({"title": title, "fields": [fields.pop(name) for name in names if name in fields]})
    groups.append({"title": _REST, "fields": list(fields.values())})
    return [group for group in groups if group["fields"]]


def _number(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    option, label, text = _LOCUSTS[name]
    value = options.get(option)
    return _row(name, label, "" if value is None else str(value), text, unit=_UNITS["N"])


def _field(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    option = _BY_NAME.get(name)
    return _row(
        name,
        name.replace("_", " "),
        facts.get("default_value"),
        str(facts.get("help_text") or ""),
        unit=_UNITS.get(option.metavar, "") if option is not None and not option.choices else "",
        choices=facts.get("choices"),
        switch=option is not None and option.switch,
    )


def _row(
    name: str, label: str, value: Any, text: str, *, unit: str, choices: Any = None, switch: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "value": value,
        "help": text,
        "unit": unit,
        "choices": choices or [],
        "switch": switch,
    }

"""What Locust's start form shows: the options that a browser may set, with their latest values. Edge: Locust's page.

Locust makes the form of `template_args["extra_options"]`, anew for each visit, with the values of the command line: who
reloads the page after a run and starts again would run something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.plan.options import RUN_OPTIONS
from bench.plan.reading import is_on


def keep(web_ui: Any, *, may_set: Callable[[], frozenset[str]], values: Callable[[], Mapping[str, Any]]) -> None:
    """Have `web_ui` show what it `may_set`, in the order of the options' table and not of the alphabet."""
    update = web_ui.update_template_args

    def update_and_complete() -> None:
        update()
        shown = web_ui.template_args["extra_options"]
        web_ui.template_args["extra_options"] = fields(shown, may_set(), values())

    web_ui.update_template_args = update_and_complete
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}


def fields(
    shown: Mapping[str, Mapping[str, Any]], may_set: frozenset[str], values: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The harness's fields among `may_set`, then whatever else Locust would have shown."""
    ours: dict[str, Mapping[str, Any]] = {}
    for option in RUN_OPTIONS:
        if option.dest in may_set:
            value = values.get(option.dest)
            ours[option.dest] = {
                "default_value": is_on(value) if option.switch else str(value or ""),
                "is_secret": False,
                "is_required": False,
                "help_text": option.help,
                "is_multiple": False,
                "choices": list(option.choices) or None,
            }
    table = {option.dest for option in RUN_OPTIONS}
    return ours | {name: field for name, field in shown.items() if name not in table}

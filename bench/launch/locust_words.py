"""Which words after `--` would change what `bench` was asked to do. Pure.

Locust has options for the same things (`-t` ends a run, `-u` changes its users), a configuration file that may hold all
of them, and modes in which it is not the run's own. What is left, such as `--html` or `-r`, is Locust's.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.errors import UsageError
from bench.plan.options import RUN_OPTIONS

_INSTEAD = {
    "--run-time": "the run lasts as long as --duration says, before the --",
    "--users": "give --users before the --",
    "--processes": "give --processes before the --",
    "--locustfile": "give --locustfile before the --",
    "--config": "write its options on the command line",
    **dict.fromkeys(
        ("--headful", "--headless", "--autostart", "--autoquit", "--master", "--worker", "--expect-workers"),
        "start Locust by hand for that: locust -f locustfiles/key.py ...",
    ),
    **{option.flag: f"give {option.flag} before the --" for option in RUN_OPTIONS if not option.locust},
}
_SHORT = {"-t": "--run-time", "-u": "--users", "-f": "--locustfile"}
_SHORTEST = 4
"""Locust understands an option's beginning as the option."""


def refuse(words: Iterable[str]) -> None:
    """UsageError for the first word that would change the run."""
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("--"):
            meant = next((flag for flag in _INSTEAD if flag == name), None) or next(
                (flag for flag in _INSTEAD if len(name) >= _SHORTEST and flag.startswith(name)), None
            )
        else:
            meant = _SHORT.get(word[:2])
        if meant is not None:
            raise UsageError(f"{word} cannot be given to Locust here", hint=_INSTEAD[meant])

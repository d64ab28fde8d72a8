"""What holds for every test: none is judged by how fast this machine is, nor by the dice.

Properties are tried with the same examples every time; `make explore` tries new ones.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.quiet import judged_if_quiet

settings.register_profile("new examples", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same examples", settings.get_profile("new examples"), derandomize=True)
settings.load_profile("same examples")

sys.dont_write_bytecode = False  # else each process of xdist's, and each that tests start, compiles all of this anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored in all that the tests start

_STARTS_PROCESSES = (
    *("calibration", "capacity", "drills", "e2e", "live", "load/roles", "security"),
    *("credentials/agent", "emulator/test_command", "launch"),
)
"""Where tests start processes of ours: a slow machine could upset them, so `make handicap` runs them on half a core."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes by where it is."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(_STARTS_PROCESSES):
            item.add_marker("processes")


def pytest_collection_finish() -> None:
    """Thousands of tests live as long as the session: the garbage collector need not walk them again and again.

    And a test file that imports Locust would have patched the sockets of all others.
    """
    if "locust" in sys.modules:
        raise pytest.UsageError("a test imports Locust, which patches this process: start one with it")
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What judges times does so only where the machine was quiet."""
    with judged_if_quiet() if item.get_closest_marker("quiet") else nullcontext():
        return (yield)


class _AtOnce:
    """Says a failure when it happens: a test worker that crashes afterwards cannot take the list along."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: Any) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            reporter.write_line(f"\nFAILED ({report.when}) {report.nodeid}")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that the user sees, not a worker of xdist
        config.pluginmanager.register(_AtOnce(config))

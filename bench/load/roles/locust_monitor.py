"""Locust's watch over its own CPU and memory, made to outlive a lack of descriptors. Edge: replaces a method of it.

It opens files in `/proc` every five seconds. Where there is no descriptor left for that, its greenlet would end, with a
traceback on the terminal, and Locust with it in the middle of a run.
"""

from __future__ import annotations

import gevent
from locust.runners import CPU_MONITOR_INTERVAL, Runner

_watch = Runner.monitor_cpu_and_memory


def outlast() -> None:
    """For the runners that are made from here on."""
    Runner.monitor_cpu_and_memory = _watch_for_ever


def _watch_for_ever(runner: Runner) -> None:
    while True:
        try:
            _watch(runner)
        except OSError:
            gevent.sleep(CPU_MONITOR_INTERVAL)

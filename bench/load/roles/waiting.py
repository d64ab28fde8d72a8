"""Waiting for others before a run begins: said every now and then, and not for ever. Edge: the hub's time, stderr."""

from __future__ import annotations

import sys

import gevent

from bench.clock import monotonic_ns
from bench.errors import RunInvalid
from bench.plain_text import write_line

_POLL_S = 0.02
_SAID_EVERY_S = 5.0
_NO_NEWS_WITHIN_S = 120.0
"""How long users and workers may take to come while nothing changes; the first lease alone may take 60 s."""


class Waiting:
    """From now on."""

    def __init__(self) -> None:
        self._what = ""
        self._changed_ns = self._said_ns = monotonic_ns()

    def look(self, what: str) -> None:
        """Wait a moment more for `what`. RunInvalid when that has not changed for minutes."""
        gevent.sleep(_POLL_S)
        now_ns = monotonic_ns()
        if what != self._what:
            self._what, self._changed_ns = what, now_ns
        if now_ns - self._changed_ns > _NO_NEWS_WITHIN_S * 1e9:
            raise RunInvalid(f"the run did not begin: waited {_NO_NEWS_WITHIN_S:.0f} s {what}")
        if now_ns - self._said_ns > _SAID_EVERY_S * 1e9:
            self._said_ns = now_ns
            write_line(sys.stderr, f"waiting {what}")

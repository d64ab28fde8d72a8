"""The recorder's rows for those who count while a run goes on, one fold at a time. No I/O.

Each fold takes about a millisecond, for which everything that is due waits: so they follow the write in turns of the
loop of their own, and requests come in between (schedule lag at 4,000/s, p99: 0.6 ms instead of 1.3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from bench.process import supervise

_APART_S = 0.001
"""A timer, for which the loop looks at its sockets; `sleep(0)` would be called again before that."""
_MOST_WAITING = 32
"""So many are behind only where the loop has no time at all."""

Fold = Callable[[Any], None]


def let_others_send() -> None:
    """In the middle of longer work: what is due meanwhile is sent, and answers are read."""
    gevent.sleep(_APART_S)


class Folding:
    """Each of `folds` is called with all rows, in their order."""

    def __init__(self, *folds: Fold) -> None:
        self._folds = folds
        self._waiting: deque[tuple[Fold, Any]] = deque()
        self._going: Any = None

    def take(self, rows: Any) -> None:
        """Rows as they lie in memory: they are copied."""
        kept = rows.copy()
        self._waiting.extend((fold, kept) for fold in self._folds)
        while len(self._waiting) > _MOST_WAITING:
            self._fold_next()
        if not self._going:
            self._going = supervise.start(self._go, where="live figures")

    def finish(self) -> None:
        """What is left, at once."""
        while self._waiting:
            self._fold_next()

    def _go(self) -> None:
        while self._waiting:
            let_others_send()
            if self._waiting:
                self._fold_next()

    def _fold_next(self) -> None:
        fold, rows = self._waiting.popleft()
        fold(rows)

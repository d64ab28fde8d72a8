"""Locust's waiting for its workers, made to outlive the loss of one. Edge: replaces what Locust's main calls `os`.

Where gevent watches any child, its loop reaps all of them. Locust then asks the system for three seconds, as fast as it
can and with a traceback each time, for a worker that ended before: megabytes on the terminal.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any


def outlive() -> None:
    """Whoever has been awaited already is taken for ended. Nothing where no Locust is running."""
    main: Any = sys.modules.get("locust.main")
    if main is not None:
        main.os = SimpleNamespace(**{**vars(os), "waitpid": _waitpid})


def _waitpid(pid: int, options: int) -> tuple[int, int]:
    try:
        return os.waitpid(pid, options)
    except ChildProcessError:
        return pid, 0

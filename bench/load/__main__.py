"""Locust as `bench` starts it: it has the plan it was handed, reads nothing by itself, ends with its parent. Edge.

Until Locust has loaded the locustfile a signal ends this process at once, for nothing has begun. What the machine has
no room for (descriptors, processes, memory) is one line.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from pathlib import Path
from typing import Any

from bench.errors import RunInvalid, expected
from bench.load.engine.client_limits import have_descriptors
from bench.plain_text import write_line
from bench.process import handover, lifeline, signals, streams

_OF_DESCRIPTORS = "System open file limit"
"""How Locust's warning begins that a process should have 10,000 descriptors."""


def main() -> None:
    """Take the plan, then be `locust`."""
    signals.while_starting(line=b"")  # `bench` says it, once for all processes
    streams.tolerate()
    taken = handover.take(Path(os.environ.pop(handover.PLAN_VARIABLE)))
    if not lifeline.follow(taken.life, number=lifeline.LOST_PARENT):
        signals.leave(line=b"")
    try:
        have_descriptors(what="Locust needs")  # gevent and ZeroMQ would abort
        _be_locust()
    except Exception as exc:
        lacked = expected(exc) or _taken(exc)
        if lacked is None:
            raise
        write_line(sys.stderr, f"error: {lacked.describe()}")
        sys.exit(lacked.exit_code)


def _taken(exc: Exception) -> RunInvalid | None:
    """Somebody else listens where master and workers were to meet; Locust raises an error of its own for ZeroMQ's."""
    if getattr(exc.__context__, "errno", None) != errno.EADDRINUSE:
        return None
    return RunInvalid("the port that master and workers were to meet on has just been taken", hint="run it again")


def _be_locust() -> None:
    import locust.main
    from locust import argument_parser

    make_parser = argument_parser.get_empty_argument_parser

    def without_files(*, add_help: bool = True, **_: Any) -> Any:
        """Locust would read locust.conf, ~/.locust.conf and pyproject.toml."""
        return make_parser(add_help=add_help, default_config_files=())

    argument_parser.get_empty_argument_parser = without_files
    # what a run needs is counted before it begins, and said in a line of our own
    logging.getLogger("locust.main").addFilter(lambda record: _OF_DESCRIPTORS not in record.getMessage())
    sys.argv[0] = "locust"
    locust.main.main()


if __name__ == "__main__":
    main()

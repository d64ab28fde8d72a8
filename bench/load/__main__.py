"""Locust as `bench` starts it: it has the plan it was handed, reads nothing by itself, ends with its parent. Edge.

Until Locust has loaded the locustfile a signal ends this process at once, for nothing has begun.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from bench import handover, lifeline, signals, streams


def main() -> None:
    """Take the plan, then be `locust`."""
    signals.while_starting()
    streams.tolerate()
    taken = handover.take(Path(os.environ.pop(handover.PLAN_VARIABLE)))
    if not lifeline.follow(taken.life, number=lifeline.LOST_PARENT):
        signals.leave()
    import locust.main
    from locust import argument_parser

    # locust.conf, ~/.locust.conf and pyproject.toml are read by default
    argument_parser.get_empty_argument_parser = functools.partial(
        argument_parser.get_empty_argument_parser, default_config_files=()
    )
    sys.argv[0] = "locust"
    locust.main.main()


if __name__ == "__main__":
    main()

"""Where the worker processes of one command meet: a loopback port of their own. Edge: asks the system for it.

Left alone, Locust meets on port 5557 of every interface: two runs on one host would share workers, and the network
could join in. Called by whoever starts Locust with `--processes`.
"""

from __future__ import annotations

import socket

_HOST = "127.0.0.1"


def meeting_point() -> list[str]:
    """Locust's options for a master and the workers it forks, on a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    return [
        *(f"--master-bind-host={_HOST}", f"--master-bind-port={port}"),
        *(f"--master-host={_HOST}", f"--master-port={port}"),
    ]

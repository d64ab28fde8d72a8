"""Whether this host can hold the connections that a run needs. Edge: reads and raises limits of the system.

Beyond its limits a client fails requests that the target never saw. That is better said before the first one.
"""

from __future__ import annotations

import resource
from pathlib import Path

from bench.errors import RunInvalid

_SPARE_DESCRIPTORS = 32
"""For a look-up of a name, a file that is written anew, a connection that is closed a moment later."""

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def make_room(connections: int, *, port_range: Path = _PORT_RANGE) -> None:
    """Have descriptors for as many connections at once. Raises RunInvalid where this host has too few, or ports.

    The soft limit of descriptors is raised as far as the hard one lets it.
    """
    needed = connections + _open_descriptors() + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if wanted > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        if wanted < needed:
            raise RunInvalid(
                f"{connections:,} users need {needed:,} file descriptors, and this process may have {wanted:,}",
                hint="raise `ulimit -Hn`, use fewer --users, or spread them over more --processes",
            )
    ports = _local_ports(port_range)
    if ports is not None and connections > ports:
        raise RunInvalid(
            f"{connections:,} users need as many local ports, and this host has {ports:,} for one target",
            hint=f"widen {_PORT_RANGE}, use fewer --users, or send from more hosts",
        )


def _open_descriptors() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):  # Linux, macOS
        try:
            return sum(1 for _ in Path(folder).iterdir())
        except OSError:
            continue
    return 0


def _local_ports(port_range: Path) -> int | None:
    """How many ports the system gives out to connections; None where it does not say."""
    try:
        low, high = (int(word) for word in port_range.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return None
    return high - low + 1

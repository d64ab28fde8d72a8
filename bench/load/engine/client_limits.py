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


class Room:
    """Of one process in one run. Built before there are connections: what is open then stays so beside them."""

    def __init__(self, *, port_range: Path = _PORT_RANGE) -> None:
        self._others = _open_descriptors() + _SPARE_DESCRIPTORS
        self._port_range = port_range
        self._users = 0

    def have(self, users: int) -> None:
        """Enough for a connection of each of so many users. Raises RunInvalid, once a number, where this host has less.

        Users that are asked for beyond the plan's, by a LoadTestShape, are counted when they come.
        """
        if users <= self._users:
            return
        self._users = users
        hint = "raise `ulimit -Hn`, use fewer --users, or spread them over more --processes"
        _have_descriptors(users + self._others, what=f"{users:,} users need", hint=hint)
        ports = _local_ports(self._port_range)
        if ports is not None and users > ports:
            raise RunInvalid(
                f"{users:,} users need as many local ports, and this host has {ports:,} for one target",
                hint=f"widen {_PORT_RANGE}, use fewer --users, or send from more hosts",
            )


def have_descriptors(*, what: str) -> None:
    """Have some to begin with. Raises RunInvalid where the hard limit is below that; `what` needs them."""
    _have_descriptors(_open_descriptors() + _SPARE_DESCRIPTORS, what=what, hint="raise `ulimit -Hn`")


def _have_descriptors(needed: int, *, what: str, hint: str) -> None:
    """The soft limit is raised as far as it must be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < needed:
        raise RunInvalid(f"{what} {needed:,} file descriptors, and this process may have {wanted:,}", hint=hint)


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

"""Another load that comes and goes on this machine, while something is measured. Edge: starts a process.

It spins on one core for 2 to 8 s, rests as long, and so on, the same each time. It ends when the pipe to whoever
started it closes: one that is killed leaves no load behind.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_LEAST_S, _MOST_S = 2.0, 8.0
_SPIN = f"""
import random, select, sys, time
times = random.Random(1)
while True:
    until = time.monotonic() + times.uniform({_LEAST_S}, {_MOST_S})
    while time.monotonic() < until:
        if select.select([sys.stdin], [], [], 0)[0]:
            sys.exit()
    if select.select([sys.stdin], [], [], times.uniform({_LEAST_S}, {_MOST_S}))[0]:
        sys.exit()
"""


@contextlib.contextmanager
def load_that_comes_and_goes() -> Iterator[None]:
    """Within a `with`."""
    process = subprocess.Popen([sys.executable, "-c", _SPIN], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate()

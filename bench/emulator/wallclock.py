"""The emulator's clock: wall time that cannot step, derived from the monotonic clock. Edge.

A step of the host's clock during a run would make tokens expire that have not; here it changes nothing.
"""

from __future__ import annotations

import time


class WallClock:
    """Wall-clock seconds as of the start plus monotonic time since."""

    def __init__(self) -> None:
        self.offset_s = time.time() - time.monotonic_ns() / 1e9

    def now_s(self) -> float:
        return self.offset_s + time.monotonic_ns() / 1e9

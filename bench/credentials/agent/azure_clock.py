"""What time it is for Azure, learnt from the Date header of its answers. Pure; its callers pass in every time it needs.

It turns Azure's expiry times into durations. This host's wall clock may be minutes wrong or
step while a run goes on; the service that wrote the expiry also wrote the Date, and the monotonic clock counts on from
there. A Date counts whole seconds, so Azure's now is taken as the end of that second: a lease ends up to a second
early, never late.
"""

from __future__ import annotations

import threading
from email.utils import parsedate_to_datetime

from bench.credentials.lease import NS_PER_S


class AzureClock:
    """Azure's wall clock; safe to use from several threads. Until a Date was seen it is this host's wall clock."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._lock = threading.Lock()

    def observe(self, date: str | None, *, now_ns: int) -> None:
        """An answer with this Date header arrived at `now_ns` (monotonic). A Date that cannot be read is left out."""
        try:
            seen_s = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        with self._lock:
            self._offset_s = seen_s + 1.0 - now_ns / NS_PER_S

    def now_s(self, *, now_ns: int, host_wall_s: float) -> float:
        """Seconds since the epoch by Azure's clock."""
        with self._lock:
            return host_wall_s if self._offset_s is None else self._offset_s + now_ns / NS_PER_S

"""One line on the terminal while a run goes on; nothing when nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from bench.live.view import View
from bench.load.engine.arrivals import asked_rate
from bench.plan import RunPlan

_EVERY_S = 1.0


class Progress:
    """Elapsed time, asked and achieved rate, p50 and p99, auth failures, lease generation and time to refresh."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._shown_s = 0.0
        self._requests = 0
        self._width = 0

    def tick(self, plan: RunPlan, elapsed_s: float, look: Callable[[], View]) -> None:
        """Show a new line if a second has passed and somebody can see it."""
        if elapsed_s < self._shown_s:  # another run
            self._shown_s, self._requests = 0.0, 0
        seconds = elapsed_s - self._shown_s
        if seconds < _EVERY_S or not self._stream.isatty():
            return
        view = look()
        achieved, self._requests = (view["requests"] - self._requests) / seconds, view["requests"]
        self._shown_s = elapsed_s
        text = line(plan, elapsed_s, view, achieved=achieved)
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the line away before something else is written."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0


def line(plan: RunPlan, elapsed_s: float, view: View, *, achieved: float) -> str:
    """`12 s | 498 of 500/s | p50 12.1 ms p99 24.0 ms | auth failures 0 | aml_token #3, refresh in 4 s`."""
    asked = asked_rate(plan, from_s=max(elapsed_s - _EVERY_S, 0), to_s=elapsed_s)
    times = view["recent_ms"]
    parts = [
        f"{'warm-up ' if elapsed_s < plan.warm_up_s else ''}{elapsed_s:.0f} s",
        f"{achieved:,.0f} of {asked:,.0f}/s" if asked else f"{achieved:,.0f}/s",
    ]
    if times:
        parts.append(f"p50 {times[len(times) // 2]:.1f} ms p99 {times[len(times) * 99 // 100]:.1f} ms")
    parts.append(f"auth failures {view['auth_failures']}")
    for lease in view["leases"]:
        refresh_in_s = lease["refresh_in_s"]
        when = f", refresh in {max(refresh_in_s, 0):.0f} s" if refresh_in_s is not None else ""
        parts.append(f"{lease['variant']} #{lease['generation']}{when}")
    return " | ".join(parts)

"""How a run goes on, on standard error: a line that is rewritten each second; one every 30 s where nobody looks.

Every line says what fails, from the same catalogue as the report.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from bench import numbers
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.load.engine.arrivals import asked_rate
from bench.metrics import kind_of_failure
from bench.plain_text import harmless
from bench.plan.run_plan import RunPlan

_EVERY_S = 1.0
_EVERY_IN_A_LOG_S = 30.0
_KINDS = 2


class Progress:
    """Elapsed time, asked and achieved rate, p50 and p99, what fails, lease generation and time to refresh."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._stream = stream if stream is not None else sys.stderr
        self._shown_s = 0.0
        self._requests = 0
        self._width = 0

    def tick(self, plan: RunPlan, elapsed_s: float, look: Callable[[], View]) -> None:
        """Show a new line if it is time for one."""
        if elapsed_s < self._shown_s:  # another run
            self._shown_s, self._requests = 0.0, 0
        seconds = elapsed_s - self._shown_s
        on_terminal = self._stream.isatty()
        if self._quiet or seconds < (_EVERY_S if on_terminal else _EVERY_IN_A_LOG_S):
            return
        view = look()
        achieved, self._requests = (view["requests"] - self._requests) / seconds, view["requests"]
        text = harmless(line(plan, elapsed_s, view, achieved=achieved, over_s=seconds))
        self._shown_s = elapsed_s
        self._stream.write("\r" + text.ljust(self._width) if on_terminal else text + "\n")
        self._stream.flush()
        self._width = len(text) if on_terminal else 0

    def clear(self) -> None:
        """Take the line away before something else is written."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0


def line(plan: RunPlan, elapsed_s: float, view: View, *, achieved: float, over_s: float = _EVERY_S) -> str:
    """`12 s | 498 of 500/s | p50 12.10 ms p99 24.00 ms | 0 % failed | aml_token #3, refresh in 4 s`."""
    asked = asked_rate(plan, from_s=max(elapsed_s - over_s, 0), to_s=elapsed_s)
    times = Sketch(pair for figures in view["variants"].values() for pair in figures["recent"]["response_time"])
    parts = [
        f"{'warm-up ' if elapsed_s < plan.warm_up_s else ''}{elapsed_s:.0f} s",
        f"{achieved:,.0f} of {asked:,.0f}/s" if asked else f"{achieved:,.0f}/s",
    ]
    p50, p99 = (numbers.milliseconds(times.quantile_ms(q)) for q in (0.5, 0.99))
    if times.total:
        parts.append(f"p50 {p50} ms p99 {p99} ms")
    parts.append(failed(view))
    for lease in view["leases"]:
        refresh_in_s = lease["refresh_in_s"]
        when = f", refresh in {max(refresh_in_s, 0):.0f} s" if refresh_in_s is not None else ""
        parts.append(f"{lease['variant']} #{lease['generation']}{when}")
    return " | ".join(part for part in parts if part)


def failed(view: View) -> str:
    """`34 % failed: 400 Bad Request (204)`, over the whole run so far; empty before the first answer."""
    if not view["requests"]:
        return ""
    kinds: Counter[str] = Counter()
    for kind in view["failed"]:
        kinds[kind_of_failure(kind["outcome"], kind["cause"], kind["status"])] += kind["count"]
    share = f"{numbers.percent(view['failures'] / view['requests'])} failed"
    shown = ", ".join(f"{kind} ({numbers.count(number)})" for kind, number in kinds.most_common(_KINDS))
    return f"{share}: {shown}" if shown else share

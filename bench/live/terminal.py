"""How a run goes on, on standard error: a board that is drawn anew each second; a line every 30 s where nobody looks.

All of it says what fails, from the same catalogue as the report.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from bench import numbers
from bench.live.sketch import Sketch
from bench.live.terminal_board import Minute, Rates, Screen, render
from bench.live.view import View
from bench.metrics import kind_of_failure
from bench.plain_text import harmless
from bench.plan.load_over_time import asked_rate
from bench.plan.run_plan import RunPlan

_EVERY_S = 1.0
_EVERY_IN_A_LOG_S = 30.0
_KINDS = 2
_CLEAR_BELOW = "\r\x1b[J"
_DEFAULT_SIZE = os.terminal_size((80, 24))


class Progress:
    """The board of a terminal, the lines of a log; nothing where it is to be quiet.

    The cursor waits on the board's first line, which is empty. So whatever somebody else writes stays above the next
    board, and a window that changes its size leaves nothing behind.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        size: Callable[[int], os.terminal_size] = os.get_terminal_size,
    ) -> None:
        self._quiet = quiet
        self._stream = stream if stream is not None else sys.stderr
        self._size = size
        self._shown_s = 0.0
        self._answered = self._sent = 0
        self._minute = Minute()
        self._is_drawn = False

    def tick(self, plan: RunPlan, elapsed_s: float, look: Callable[[], View]) -> None:
        """Show what is new if it is time for that. A terminal that has gone away ends no run."""
        if self._quiet:
            return
        if elapsed_s < self._shown_s:  # another run
            self._shown_s, self._answered, self._sent, self._minute = 0.0, 0, 0, Minute()
        try:
            self._show(plan, elapsed_s, look)
        except OSError:
            self._quiet = True

    def clear(self) -> None:
        """Take the board away before something else is written."""
        if self._is_drawn and not self._quiet:
            self._stream.write(_CLEAR_BELOW)
            self._stream.flush()
        self._is_drawn = False

    def _show(self, plan: RunPlan, elapsed_s: float, look: Callable[[], View]) -> None:
        seconds, on_terminal = elapsed_s - self._shown_s, self._is_on_terminal()
        if seconds < (_EVERY_S if on_terminal else _EVERY_IN_A_LOG_S):
            return
        view = look()
        answered, sent = view["requests"], view["requests"] + view["in_flight"]
        rates = Rates(
            asked=asked_rate(plan, from_s=max(elapsed_s - seconds, 0), to_s=elapsed_s),
            sent=max(sent - self._sent, 0) / seconds,
            answered=(answered - self._answered) / seconds,
        )
        self._shown_s, self._answered, self._sent = elapsed_s, answered, sent
        if on_terminal:
            self._draw(plan, elapsed_s, view, rates)
        else:
            text = line(plan, elapsed_s, view, achieved=rates.answered, over_s=seconds)
            self._stream.write(harmless(text) + "\n")
        self._stream.flush()

    def _draw(self, plan: RunPlan, elapsed_s: float, view: View, rates: Rates) -> None:
        self._minute.add(view, rates)
        lines = render(
            plan, elapsed_s, view, rates=rates, minute=self._minute, failed=failed(view), screen=self._screen()
        )
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._stream.write(_CLEAR_BELOW + "\n".join(lines) + "\r" + back)
        self._is_drawn = True

    def _is_on_terminal(self) -> bool:
        """One that can move its cursor."""
        return self._stream.isatty() and os.environ.get("TERM") != "dumb"

    def _screen(self) -> Screen:
        """As it is now: the window may have changed."""
        try:
            size = self._size(self._stream.fileno())
        except (OSError, ValueError):
            size = _DEFAULT_SIZE
        if not (size.columns and size.lines):
            size = _DEFAULT_SIZE
        bars = (self._stream.encoding or "").lower().replace("-", "") == "utf8"
        return Screen(columns=size.columns, rows=size.lines, colour="NO_COLOR" not in os.environ, bars=bars)


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

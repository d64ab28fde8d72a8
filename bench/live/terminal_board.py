"""The lines of the board that a terminal shows of a run. Pure: a view in, lines of text out.

What was asked, sent and answered a second; times by variant with the p99 of the last minute as a sparkline; what fails;
leases; whether the figures could be believed so far; how much time is left. The first line is empty: whatever else is
written to the terminal meanwhile begins there.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from bench import numbers
from bench.live.board import lights
from bench.live.rolling import WINDOW_S
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.plain_text import harmless
from bench.plan.run_plan import RunPlan

_MINUTE = 60
_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = {"ok": "32", "doubtful": "33", "bad": "31"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What the terminal can show. `bars`: its encoding has the characters of a sparkline."""

    columns: int = 80
    rows: int = 24
    colour: bool = False
    bars: bool = True


@dataclass(slots=True)
class Minute:
    """What the board remembers of a run: the p99 of each variant, a point a second, and the latest rates.

    One second of few requests has one more or less of them, which is no reason for doubt.
    """

    p99_ms: dict[str, deque[float | None]] = field(default_factory=dict)
    rates: deque[Rates] = field(default_factory=lambda: deque(maxlen=WINDOW_S))

    def add(self, view: View, rates: Rates) -> None:
        self.rates.append(rates)
        for name, figures in view["variants"].items():
            points = self.p99_ms.setdefault(name, deque(maxlen=_MINUTE))
            points.append(Sketch(figures["recent"]["response_time"]).quantile_ms(0.99))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A second's: `asked` is 0 in the closed model."""

    asked: float
    sent: float
    answered: float


def render(
    plan: RunPlan, elapsed_s: float, view: View, *, rates: Rates, minute: Minute, failed: str, screen: Screen
) -> list[str]:
    """No line is wider than the screen, and there are no more of them than it has rows. `failed` is said as it is."""
    width = max(screen.columns - 1, 1)
    state, trust = _trust(view, minute.rates)
    lines = [
        _time(plan, elapsed_s),
        _rates(view, rates),
        *(_variant(name, view, minute, width=width, bars=screen.bars) for name in view["variants"]),
        failed,
        *_leases(view),
    ]
    shown = [cut(harmless(line), width) for line in lines if line]
    verdict = cut(harmless(trust), width)
    if screen.colour:
        verdict = f"\x1b[{_COLOURS[state]}m{verdict}\x1b[0m"
    return ["", verdict, *shown][: max(screen.rows - 1, 1)]


def cut(line: str, width: int) -> str:
    """As much of it as fits into so many cells: some letters take two, an accent none."""
    taken = 0
    for place, letter in enumerate(line):
        taken += _cells(letter)
        if taken > width:
            return line[:place]
    return line


def sparkline(values: Iterable[float | None]) -> str:
    """A bar for each, from nothing to the highest; a blank where nothing was measured."""
    values = list(values)
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    top = len(_BARS) - 1
    return "".join(" " if value is None else _BARS[min(int(value / highest * len(_BARS)), top)] for value in values)


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def _time(plan: RunPlan, elapsed_s: float) -> str:
    warm_up = "warm-up, " if elapsed_s < plan.warm_up_s else ""
    if plan.duration_s is None:
        return f"{warm_up}{elapsed_s:,.0f} s, until it is stopped"
    left_s = plan.warm_up_s + plan.duration_s - elapsed_s
    left = f"{left_s:,.0f} s left" if left_s > 0 else "waiting for the last answers"
    return f"{warm_up}{elapsed_s:,.0f} s, {left}"


def _rates(view: View, rates: Rates) -> str:
    asked = f"asked {rates.asked:,.0f} " if rates.asked else ""
    under_way = f"{numbers.count(view['in_flight'])} in flight"
    return f"{asked}sent {rates.sent:,.0f} answered {rates.answered:,.0f}/s, {under_way}"


def _variant(name: str, view: View, minute: Minute, *, width: int, bars: bool) -> str:
    """The sparkline takes what room there is, the latest second last."""
    times = Sketch(view["variants"][name]["recent"]["response_time"])
    p50, p99 = (numbers.milliseconds(times.quantile_ms(q)) for q in (0.5, 0.99))
    text = f"{cut(name, max(width // 3, 1))} p50 {p50} p99 {p99} ms "
    points = list(minute.p99_ms.get(name, ()))
    room = width - sum(_cells(letter) for letter in text)
    return text + sparkline(points[-room:]) if bars and room > 0 else text


def _leases(view: View) -> list[str]:
    lines = []
    for lease in view["leases"]:
        parts = [f"{lease['variant']} lease #{lease['generation']}", lease["freshness"]]
        if lease["life_left_s"] is not None:
            parts.append(f"{numbers.count(max(lease['life_left_s'], 0))} s left")
        if lease["refresh_in_s"] is not None:
            parts.append(f"refresh in {numbers.count(max(lease['refresh_in_s'], 0))} s")
        lines.append(", ".join(part for part in (*parts, lease["error"]) if part))
    return lines


def _trust(view: View, rates: Sequence[Rates]) -> tuple[str, str]:
    """The worst light, and each that is not green."""
    asked, answered = (sum(map(attrgetter(name), rates)) / max(len(rates), 1) for name in ("asked", "answered"))
    found = lights(view, {"asked": asked, "variants": {"all": {"answered": answered}}})
    wrong = sorted((one for one in found if one["state"] != "ok"), key=lambda one: one["state"] != "bad")
    if not wrong:
        return "ok", "trust so far: ok"
    reasons = "; ".join(f"{one['name']}: {one['text']}" for one in wrong)
    return wrong[0]["state"], f"trust so far: {wrong[0]['state']} ({reasons})"

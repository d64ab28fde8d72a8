"""How numbers are printed: one form for the terminal, the markdown, the page, the plots, gates and reasons. Pure.

Everything takes plain values out of `summary.json` and gives text. A missing value is `DASH`, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

DASH = "–"  # noqa: RUF001 - a typographic dash is meant
MINUS = "−"  # noqa: RUF001 - so is the sign
MOST_SAMPLES = 20_000_000
"""More than anybody takes in one run: beyond it, a number of missing samples is no advice."""


def milliseconds(value: float | None) -> str:
    """`0.312`, `12.41`, `250.3`, `1,240`: about four digits, so that columns can be compared."""
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    if size < 0.0005:
        return "0.00"
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}".replace("-", MINUS)


def seconds(value: float) -> str:
    """A moment of a run, `12.50`; one before its zero has a real minus."""
    return f"{value:,.2f}".replace("-", MINUS)


def difference(value: float | None) -> str:
    """A signed number of milliseconds, `+0.312`."""
    text = milliseconds(value)
    return text if text in (DASH, "0.00") or text.startswith(MINUS) else f"+{text}"


def short_milliseconds(value: float | None) -> str:
    """The same for a sentence, where nothing stands below it: `250`, `241.3`, without zeros at the end."""
    text = milliseconds(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def at_least(value: float | None, censored: Mapping[str, Any] | None) -> str:
    """A time in ms, or `> 1,001` where requests that got no answer decide it (`above` of the summary)."""
    above = (censored or {}).get("above")
    return f"> {milliseconds(above)}" if value is None and above is not None else milliseconds(value)


def span(found: Mapping[str, Any]) -> str:
    """The interval of a measured time, `12.31 to 12.52`; empty where there is none."""
    if found.get("open") and found.get("low") is not None:
        return f"above {milliseconds(found['low'])}"
    if found.get("low") is None or found.get("high") is None:
        return ""
    return f"{milliseconds(found['low'])} to {milliseconds(found['high'])}"


def interval(found: Mapping[str, Any]) -> str:
    """The interval of a difference in ms, `[+0.280, +0.344]`; empty where there is none."""
    if found.get("low") is None or found.get("high") is None:
        return ""
    return f"[{difference(found['low'])}, {difference(found['high'])}]"


def estimate(found: Mapping[str, Any]) -> str:
    """A difference in ms with its interval, or with how many more samples it takes; empty when it is not known."""
    if found.get("estimate") is None:
        return ""
    return f"{difference(found['estimate'])} {interval(found) or needed(found)}".rstrip()


def needed(found: Mapping[str, Any]) -> str:
    """`needs 50,000 more samples`, to two digits; empty when there are enough."""
    more = found.get("more_needed")
    if more and more > MOST_SAMPLES:
        return "no run of this length will tell"
    return f"needs {count(float(f'{more:.2g}'))} more samples" if more else ""


def points(share: float | None) -> str:
    """A difference in shares in percentage points, `+1.68 pp`."""
    return DASH if share is None else f"{_signed_points(share)} pp"


def points_interval(found: Mapping[str, Any]) -> str:
    """The interval of a difference in shares, `[+0.226, +11.4]`; empty where there is none."""
    if found.get("low") is None or found.get("high") is None:
        return ""
    return f"[{_signed_points(found['low'])}, {_signed_points(found['high'])}]"


def _signed_points(share: float) -> str:
    return f"{100 * share:+.3g}".replace("-", MINUS) if share else "0"


def share_span(found: Mapping[str, Any]) -> str:
    """The interval of a measured share, `0.2 % to 11.4 %`, `at most 5 %` from 0 on; empty where there is none."""
    if found.get("low") is None or found.get("high") is None:
        return ""
    if found["low"] == 0:
        return f"at most {percent(found['high'])}"
    return f"{percent(found['low'])} to {percent(found['high'])}"


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return DASH if value is None else f"{value:,.0f}"


def tokens(value: float | None) -> str:
    """A length in tokens, which may be a mean: `512`, `512.4`, `1,240`."""
    return DASH if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def rate(value: float | None) -> str:
    """Requests per second."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:,.{0 if value >= 1000 or value == round(value) else 1}f}/s"


def rate_span(found: Mapping[str, Any]) -> str:
    """The interval of what there was a second, `12.1/s to 12.9/s`; empty where there is none."""
    if found.get("low") is None or found.get("high") is None:
        return ""
    return f"{rate(found['low'])} to {rate(found['high'])}"


def percent(share: float | None) -> str:
    """`0 %`, `0.02 %`, `12.5 %`, `100 %`; a share too small to print is `<0.001 %`, never 0."""
    if share is None or not math.isfinite(share):
        return DASH
    value = 100 * share
    if value == 0:
        return "0 %"
    if value < 0.001:
        return "<0.001 %"
    text = f"{value:.3g} %"
    return ">99.9 %" if text == "100 %" and value < 100 else text


def plural(number: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def by_frequency(numbers: Mapping[str, int]) -> str:
    """`12 expired, 3 refused`, the most frequent first."""
    ranked = sorted(numbers.items(), key=lambda item: -item[1])
    return ", ".join(f"{count(number)} {name or 'unknown'}" for name, number in ranked if number)

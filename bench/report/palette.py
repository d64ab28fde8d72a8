"""The colours of the report: one set for light, one for dark, that the colour-blind can distinguish too. Pure.

Plots are drawn once, in the light colours. `canvas` then swaps each colour for a CSS variable of the
same name, so that the one SVG follows the reader's theme; the PNG beside it keeps the light colours.
That swap needs every light colour to be unique here.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), a little darker on white and a
little lighter on black where the originals fall under the contrast of 3:1 that WCAG 2.2 (1.4.11) asks of graphics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """One role's colour (`#rrggbb`, lower case) in both themes."""

    light: str
    dark: str


COLOURS: dict[str, Colour] = {
    "page": Colour("#ffffff", "#14171b"),
    "panel": Colour("#f6f7f9", "#1c2026"),
    "ink": Colour("#1a1e24", "#e7eaee"),
    "muted": Colour("#59636e", "#a3adb8"),
    "grid": Colour("#e1e5ea", "#313840"),
    "zone": Colour("#d3d9e0", "#3c454f"),
    "slate": Colour("#8a96a3", "#6b7683"),
    "blue": Colour("#0072b2", "#4ba8e6"),
    "vermillion": Colour("#d55e00", "#f5853f"),
    "green": Colour("#00916a", "#2fc095"),
    "purple": Colour("#b0568a", "#dc93bd"),
    "sky": Colour("#3a94cc", "#8ccdf5"),
    "orange": Colour("#b87a00", "#e9ae2f"),
    "yellow": Colour("#948a00", "#ece155"),
    "good": Colour("#0b7a4b", "#4fcf99"),
    "doubt": Colour("#8a5a00", "#eebb4d"),
    "bad": Colour("#b3261e", "#ff8a80"),
}

_MODE_COLOURS = {"key": "blue", "aml_token": "vermillion", "aad_token": "green"}
_CYCLE = ("blue", "vermillion", "green", "orange", "sky", "purple", "yellow")
_DASHES = ("solid", "dashed", "dotted", "dashdot")

CAUSE_COLOURS = {"expired": "purple", "refused": "yellow", "forbidden": "ink", "no_lease": "muted"}
"""Auth failures are drawn apart from the variants, so their hues are kept for them as far as possible."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one variant is drawn everywhere: a colour's name, and a dash pattern once the colours run out."""

    colour: str
    dash: str

    @property
    def light(self) -> str:
        return COLOURS[self.colour].light


def light(name: str) -> str:
    """The `#rrggbb` matplotlib draws with."""
    return COLOURS[name].light


def strokes(auth_modes: Mapping[str, str]) -> dict[str, Stroke]:
    """One stroke a variant, from {variant: auth_mode}: each auth mode's own colour where it is still free."""
    taken: dict[str, int] = dict.fromkeys(_CYCLE, 0)
    chosen = {}
    for variant, mode in auth_modes.items():
        wanted = _MODE_COLOURS.get(mode, "")
        if taken.get(wanted) != 0:
            wanted = min(_CYCLE, key=lambda colour: taken[colour])
        chosen[variant] = Stroke(wanted, _DASHES[taken[wanted] % len(_DASHES)])
        taken[wanted] += 1
    return chosen


def css_variables(*, dark: bool) -> str:
    """`--ink: #1a1e24; ...` of one theme, for the report's `:root`."""
    return " ".join(f"--{name}: {pair.dark if dark else pair.light};" for name, pair in COLOURS.items())

"""Colours: readable in both themes, the same for a variant in every plot."""

from __future__ import annotations

import pytest

from bench.report.palette import CAUSE_COLOURS, COLOURS, strokes

TEXT = ("ink", "muted", "good", "doubt", "bad")
GRAPHICS = ("blue", "vermillion", "green", "purple", "sky", "orange", "yellow")


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "panel"])
def test_text_has_the_contrast_wcag_asks_for(theme: str, ground: str) -> None:
    """Text has 4.5:1 and graphics have 3:1 on every background in both themes."""
    behind = getattr(COLOURS[ground], theme)
    weak = [name for name in TEXT if _contrast(getattr(COLOURS[name], theme), behind) < 4.5]
    faint = [name for name in GRAPHICS if _contrast(getattr(COLOURS[name], theme), behind) < 3.0]
    assert (weak, faint) == ([], [])


def test_every_colour_can_be_distinguished_from_every_other_by_its_code() -> None:
    """The swap of colours for CSS variables needs each light colour once."""
    assert len({colour.light for colour in COLOURS.values()}) == len(COLOURS)


def test_an_auth_mode_keeps_its_colour_whatever_it_is_compared_with() -> None:
    """aml_token looks the same beside key, alone, and beside aad_token."""
    alone = strokes({"aml_token": "aml_token"})
    beside = strokes({"key": "key", "aml_token": "aml_token", "aad_token": "aad_token"})
    assert alone["aml_token"] == beside["aml_token"]
    assert len({stroke.colour for stroke in beside.values()}) == 3


def test_no_two_variants_look_the_same() -> None:
    """Twenty variants of one auth mode get twenty strokes: colours first, then dashes."""
    many = strokes({f"run{i}/key": "key" for i in range(20)})
    assert len(set(many.values())) == 20


def test_causes_do_not_borrow_the_colour_of_an_auth_mode() -> None:
    """An auth failure's cause is never drawn in the colour of key, aml_token or aad_token."""
    modes = strokes({mode: mode for mode in ("key", "aml_token", "aad_token")})
    assert not {stroke.colour for stroke in modes.values()} & set(CAUSE_COLOURS.values())

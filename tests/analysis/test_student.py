"""Student's t without scipy."""

from __future__ import annotations

import pytest

from bench.analysis.student import t_quantile, z_quantile


@pytest.mark.parametrize(
    ("df", "expected"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (9, 2.2622), (31, 2.0395), (1000, 1.9623)]
)
def test_t_quantiles_are_those_of_the_printed_tables(df: float, expected: float) -> None:
    """Two-sided 95 %, as every textbook prints them, to 0.3 %."""
    assert t_quantile(0.975, df) == pytest.approx(expected, rel=3e-3)


def test_far_out_the_expansion_holds_for_ten_blocks() -> None:
    """Where the confidence sequences of extended runs look: 4.781 in the tables."""
    assert t_quantile(0.9995, 9) == pytest.approx(4.7809, rel=1e-3)


def test_with_many_degrees_t_is_normal() -> None:
    """The expansion ends where it should."""
    assert t_quantile(0.975, 1e9) == pytest.approx(z_quantile(0.975))


def test_degrees_the_expansion_cannot_do_are_refused() -> None:
    """Rather an error than a number that is off by a tenth."""
    with pytest.raises(ValueError, match=r"2\.5"):
        t_quantile(0.975, 2.5)

"""Tests of the statistics: quantiles, comparison, trust, summary, series."""

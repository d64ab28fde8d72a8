"""Tests of bench/report: what the tables, the markdown, the plots and the page say of runs whose truth is known."""

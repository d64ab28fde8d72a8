"""The figures of each stage of the load, as cells of a table and a sentence. Pure."""

from __future__ import annotations

from bench import numbers
from bench.report import words
from bench.report.words import Summary

HEADING = ("from, s", "to, s", "load", "variant", "requests", "throughput", "errors", "p50, ms", "p99, ms")


def rows(summary: Summary) -> list[tuple[str, ...]]:
    """A row a stage and variant; none where the load had no stages."""
    return [
        (
            f"{stage['from_s']:g}",
            f"{stage['to_s']:g}",
            stage["name"],
            variant,
            numbers.count(figures["requests"]),
            numbers.rate(figures["throughput"]),
            numbers.percent(figures["error_rate"]),
            *(words.response_time(figures, statistic) for statistic in ("p50", "p99")),
        )
        for stage in summary.get("stages", ())
        for variant, figures in stage["variants"].items()
    ]


def sentence(summary: Summary) -> str:
    """That several stages share a row; empty where each has its own."""
    shape = summary.get("shape") or {}
    if shape.get("changes", 0) <= shape.get("stages", 0):
        return ""
    return (
        f"the LoadTestShape {shape['name']} asked for {numbers.plural(shape['changes'], 'different load')}:"
        f" reported in {numbers.plural(shape['stages'], 'stage')}"
    )

"""All plots of a report, in the order they are read, each with its title, caption and description. Edge: matplotlib.

What is drawn how is in the `draw_*` modules; this one decides what a report shows and says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import numbers
from bench.analysis.run import LoadedRun
from bench.report import (
    draw_heat_map,
    draw_outcomes,
    draw_overhead,
    draw_quantiles,
    draw_streams,
    draw_time,
    parts,
    words,
)
from bench.report.bins import Bins
from bench.report.canvas import Plot, draw_style, finish
from bench.report.side import Side

_ORDER = (
    *("latency", "outcomes", "percentiles", "tokens", "tokens-over-time", "timelines"),
    *("difference", "decomposition", "heat-map", "trust"),
)


def draw(sides: Sequence[Side], summary: Mapping[str, Any]) -> dict[str, Plot]:
    """The plots by name, in the order they are read; what there is nothing to draw of is left out.

    `difference` is there for compared variants, `trust` for a single run.
    """
    if not any(variant["requests"] for variant in summary["variants"].values()):
        return {}
    runs = list({id(side.run): side.run for side in sides}.values())
    with draw_style(), ThreadPoolExecutor(max_workers=1) as executor:
        streamed = [side for side in sides if summary["variants"][side.label].get("streams")]
        bins = Bins.begin(executor, sides, runs, streamed)
        plots = (
            *_by_quantile(sides, summary),
            *_over_time(sides, summary, runs, bins),
            *_of_streams(streamed, summary, bins),
        )
        drawn = {plot.name: plot for plot in plots}
    return {name: drawn[name] for name in _ORDER if name in drawn}


def _by_quantile(sides: Sequence[Side], summary: Mapping[str, Any]) -> Iterator[Plot]:
    strokes = {side.label: side.stroke for side in sides}
    comparisons = words.comparisons(summary)
    speed = words.speed_sentence(summary)
    if not _has_latency(summary):
        return
    yield finish(
        draw_quantiles.percentile_curves(summary["variants"], strokes),
        name="percentiles",
        title="Percentile curves",
        caption="Each step to the right is ten times rarer. Bands are 95 % intervals; a thin line has too few samples "
        "for one.",
        alt=f"Response time and service time by quantile. {speed}.",
    )
    if any(variant.get("streams") for variant in summary["variants"].values()):
        yield finish(
            draw_quantiles.token_curves(summary["variants"], strokes),
            name="tokens",
            title="Tokens of streamed answers",
            caption="How long the first token took from when its request was due, and every gap between two tokens. "
            "Bands are 95 % intervals, which know that the gaps of a request hang together.",
            alt=words.token_sentence(summary) + ".",
        )
    if comparisons:
        yield finish(
            draw_quantiles.differences(comparisons, strokes),
            name="difference",
            title="Difference at each quantile",
            caption=f"Above zero, {numbers.listed([one['candidate'] for one in comparisons])} is slower than "
            f"{comparisons[0]['baseline']}. Bands are 95 % intervals: worse or better takes all of the interval beyond "
            "the grey zone, equivalent takes all of it inside. The axis is logarithmic outside the zone.",
            alt=". ".join(words.cost_sentence(one, quantile=q) for one in comparisons for q in ("p50", "p99")),
        )
    yield finish(
        draw_overhead.decomposition(parts.stacks(summary, comparisons), strokes),
        name="decomposition",
        title="Where the time goes",
        caption="Response times split into the parts a request goes through"
        + (", and the difference in each part with its 95 % interval." if comparisons else ", on average."),
        alt=". ".join(one["decomposition"]["sentence"] for one in comparisons) or speed,
    )


def _over_time(
    sides: Sequence[Side], summary: Mapping[str, Any], runs: Sequence[LoadedRun], bins: Bins
) -> Iterator[Plot]:
    speed, auth = words.speed_sentence(summary), words.failure_sentence(summary)
    yield finish(
        draw_time.latency_over_time(sides, list(bins.latencies), list(bins.failures)),
        name="latency",
        title="Latency over time",
        caption="Thick lines are p50 and thin lines p99 of each stretch of time. Vertical lines are refreshes of a "
        "credential, a cross is a fetch that failed. Auth failures stand below on the same time axis.",
        alt=f"Response time and service time over the run, auth failures below. Over all, {speed}. {auth}.",
    )
    yield finish(
        draw_outcomes.outcomes_over_time(sides, list(bins.outcomes)),
        name="outcomes",
        title="What was asked, and how it ended",
        caption="The height of the stack is what was due, its colours how it ended. The dotted line is what "
        "was sent, the full line what was answered, each when it happened.",
        alt=f"Requests a second by outcome. {auth}.",
    )
    if _has_latency(summary):
        yield finish(
            draw_heat_map.heat_maps(sides, list(bins.heat_maps)),
            name="heat-map",
            title="Every request in time",
            caption="A cell counts the requests that were due then and took that long.",
            alt=f"Heat maps of response time over the run. {speed}.",
        )
    if len(runs) == 1:
        yield finish(
            draw_time.harness_over_time(runs[0], next(bins.lags)),
            name="trust",
            title="What the harness did to itself",
            caption="Schedule lag is how late requests began because the client was busy; it is part of response time. "
            "Dotted vertical lines are stalls of a worker.",
            alt=f"{summary['trust']['verdict']}: {words.trust_sentence(summary['trust'])}.",
        )


def _of_streams(streamed: Sequence[Side], summary: Mapping[str, Any], bins: Bins) -> Iterator[Plot]:
    if not streamed:
        return
    said = words.token_sentence(summary)
    yield finish(
        draw_streams.over_time(streamed, list(bins.tokens)),
        name="tokens-over-time",
        title="First tokens and gaps over time",
        caption="Thick lines are p50 and thin lines p99 of the answers due in each stretch of time, from due; "
        "tokens a second are counted when they came. Vertical lines are refreshes of a credential.",
        alt=f"Time to first token, gaps between tokens and tokens a second over the run. Over all, {said}.",
    )
    yield finish(
        draw_streams.timelines(streamed, list(bins.timelines)),
        name="timelines",
        title="A few answers token by token",
        caption="Dotted is the wait for the first token since the request was due; then each token is a mark where "
        "it came. A cross is an answer that ended before it was whole.",
        alt=f"Answers as lanes of token times. Over all, {said}.",
    )


def _has_latency(summary: Mapping[str, Any]) -> bool:
    return any(variant["latency_samples"] for variant in summary["variants"].values())

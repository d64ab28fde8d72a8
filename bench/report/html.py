"""The report as one HTML page that loads nothing: the summary's figures, the plots and the tables. Edge: reads its template.

Called by `build`. Everything that came from a run is escaped by the template; only the SVG of our own plots is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.analysis.series import FlightMark
from bench.report import palette, text, words
from bench.report.canvas import Plot
from bench.report.side import Side
from bench.report.words import GateRow

_MOST_FLIGHTS = 60
_ALWAYS = {
    "figures": "Figures",
    "flights": "Credential fetches",
    "deployments": "Deployments",
    "manifest": "How it was run",
}


def render(
    summary: Mapping[str, Any],
    *,
    sides: Sequence[Side],
    plots: Mapping[str, Plot],
    flights: Sequence[FlightMark],
    intent: Sequence[str],
    manifest: Mapping[str, Any],
    gates: Sequence[GateRow] = (),
) -> str:
    """The page. `intent` are the lines under its heading; an empty `manifest` is left out."""
    shown = _most_telling(flights)
    variants = summary["variants"]
    comparison = summary.get("comparison")
    deployments = {name: one.get("deployments") or {} for name, one in variants.items()}
    sections = {"figures": True, "flights": shown, "deployments": any(deployments.values()), "manifest": manifest}
    return _template().render(
        summary=summary,
        headline=words.headline(summary),
        intent=intent,
        trust=summary["trust"],
        trust_facts=words.trust_facts(summary["trust"]),
        remarks=text.remarks(summary),
        gates=gates,
        gates_verdict=words.gates_verdict(gates),
        comparison=comparison,
        cost=words.cost_sentence(comparison),
        auth=words.auth_sentence(summary),
        auth_failures=sum(one["auth_failures"]["count"] for one in variants.values()),
        requests=sum(one["requests"] for one in variants.values()),
        deployments=deployments if any(deployments.values()) else {},
        latencies=[(block, title.removesuffix(", ms")) for block, title in text.LATENCIES],
        statistics=words.STATISTICS,
        meaning=words.VERDICT_MEANING,
        cause_meaning=words.CAUSE_MEANING,
        colours={side.label: side.stroke.colour for side in sides},
        plots={
            name: {"title": plot.title, "caption": plot.caption, "svg": Markup(plot.svg)}
            for name, plot in plots.items()
        },  # noqa: S704 - drawn here, escaped there
        contents=[
            *((name, _ALWAYS[name]) for name in ("figures",)),
            *((name, plot.title) for name, plot in plots.items()),
            *((name, _ALWAYS[name]) for name, there in sections.items() if there and name != "figures"),
        ],
        flights=shown,
        hidden_flights=len(flights) - len(shown),
        manifest=json.dumps(manifest, indent=1, ensure_ascii=False) if manifest else "",
        light=palette.css_variables(dark=False),
        dark=palette.css_variables(dark=True),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("bench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "by_cause": words.by_cause,
        "count": words.count,
        "difference": words.difference,
        "ms": words.milliseconds,
        "percent": words.percent,
        "rate": words.rate,
        "span": words.estimate_alone,
        "tone": words.tone,
        "trust_sentence": words.trust_sentence,
    }
    return environment.get_template("report.html.jinja")


def _most_telling(flights: Sequence[FlightMark]) -> Sequence[FlightMark]:
    """All flights of a short run; of a long one the failed ones first, then those that kept requests waiting longest."""
    if len(flights) <= _MOST_FLIGHTS:
        return flights
    ranked = sorted(flights, key=lambda flight: (flight.outcome == "ok", -flight.longest_wait_ms))
    return sorted(ranked[:_MOST_FLIGHTS], key=lambda flight: flight.start_s)

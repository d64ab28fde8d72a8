"""The report as one HTML page that loads nothing: figures, plots and tables. Edge: reads its template.

Everything that came from a run is escaped by the template; only the SVG that `canvas` made is not. The one script sorts
tables; the page's policy knows it by its hash and runs no other, and without it nothing is missing but that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from bench import metrics, numbers
from bench.analysis.series import FlightMark
from bench.report import network_words, palette, stage_rows, text, words
from bench.report.axes import at_time
from bench.report.canvas import Plot
from bench.report.modes import ARM_BUDGET, ASSUMED, DRILLED, modes_page
from bench.report.side import Side
from bench.report.target_facts import target_facts
from bench.report.trust_facts import trust_facts
from bench.report.words import GateRow, Summary

_MOST_FLIGHTS = 60


def render(
    summary: Summary,
    *,
    sides: Sequence[Side],
    plots: Mapping[str, Plot],
    flights: Sequence[FlightMark],
    intent: Sequence[str],
    manifest: Mapping[str, Any],
    gates: Sequence[GateRow] = (),
    flight_records: Sequence[Mapping[str, Any]] = (),
    files: Sequence[str] = (),
) -> str:
    """The page. `intent` are the lines under its heading; an empty `manifest` is left out. `files` are linked."""
    variants = summary["variants"]
    shown = _eventful(flights)
    compares_modes = modes_page(summary, manifest, flight_records) if sides else None  # of a set, each run has one
    deployed = any(variant["deployments"] for variant in variants.values())
    classed = any(variant.get("classes") for variant in variants.values())
    tables = {
        "classes": "Classes of requests",
        "stages": "Stages of the load",
        "failures": "Failures",
        "slowest": "Slow requests to look up",
        "flights": "Credential fetches",
        "deployments": "Deployments",
        "manifest": "How it was run",
        "glossary": "Words",
    }
    failing = any(variant.get("failures") for variant in variants.values())
    there = {
        "classes": classed,
        "stages": bool(summary.get("stages")),
        "failures": failing,
        "slowest": any(variant.get("slowest") for variant in variants.values()),
        "flights": bool(flights),
        "deployments": deployed,
        "manifest": bool(manifest),
        "glossary": True,
    }
    return _template().render(
        summary=summary,
        variants=variants,
        trust=summary["trust"],
        comparisons=words.comparisons(summary),
        headline=words.headline(summary),
        intent=intent,
        remarks=text.remarks(summary),
        network=network_words.sentences(summary),
        gates=gates,
        gates_verdict=words.gates_verdict(gates),
        modes=compares_modes,
        modes_notes=(ARM_BUDGET, ASSUMED, DRILLED),
        target_facts=target_facts(manifest),
        target_notes=(manifest.get("target") or {}).get("notes") or (),
        files=files,
        script=_script(),
        script_hash=_hash(_script()),
        stages=summary.get("stages", ()),
        stages_said=stage_rows.sentence(summary),
        wall_zero_s=_wall_zero_s(manifest),
        failing=failing,
        requests=sum(variant["requests"] for variant in variants.values()),
        latencies=text.LATENCIES,
        stream_rows=list(text.stream_rows(summary)),
        classes_stream=any(one.get("streams") for v in variants.values() for one in v.get("classes", {}).values()),
        statistics=metrics.STATISTICS,
        glossary=metrics.GLOSSARY,
        verdicts=metrics.VERDICTS,
        token_sentence=words.token_sentence(summary),
        failure_sentence=words.failure_sentence(summary),
        conclusive=words.conclusive(summary),
        colours=_colours(variants) | {side.label: side.stroke.colour for side in sides},
        plots=plots,
        contents={
            **({"modes": "Key or token?"} if compares_modes else {}),
            "figures": "Figures",
            **{name: plot.title for name, plot in plots.items()},
            **{name: title for name, title in tables.items() if there[name]},
        },
        flights=shown,
        around_refreshes={name: around for name, v in variants.items() if (around := v["refreshes"]["response_time"])},
        hidden_flights=len(flights) - len(shown),
        manifest=json.dumps(manifest, indent=1, ensure_ascii=False),
        light=palette.css_variables(dark=False),
        dark=palette.css_variables(dark=True),
    )


def _colours(variants: Mapping[str, Any]) -> dict[str, str]:
    """Of variants without samples: those of a set of runs."""
    strokes = palette.strokes({name: variant["auth_mode"] for name, variant in variants.items()})
    return {name: stroke.colour for name, stroke in strokes.items()}


@cache
def _script() -> str:
    return (package_files("bench.report") / "report.js").read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """As a content security policy names a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _wall_zero_s(manifest: Mapping[str, Any]) -> float | None:
    wall_ns = (manifest.get("clock") or {}).get("wall_ns") if isinstance(manifest.get("clock"), dict) else None
    return wall_ns / 1e9 if wall_ns else None


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
        "by_frequency": numbers.by_frequency,
        "count": numbers.count,
        "difference": numbers.difference,
        "failure_detail": words.failure_detail,
        "at_time": at_time,
        "unseen": words.unseen_sentence,
        "failure_kind": words.failure_kind,
        "response_time": words.response_time,
        "meaning": lambda kind: metrics.meaning_of_failure(kind["outcome"], kind["cause"], kind["status"]),
        "interval": numbers.interval,
        "ms": numbers.milliseconds,
        "needed": numbers.needed,
        "percent": numbers.percent,
        "plural": numbers.plural,
        "points": numbers.points,
        "points_interval": numbers.points_interval,
        "rate": numbers.rate,
        "rate_span": numbers.rate_span,
        "seconds": numbers.seconds,
        "share_span": numbers.share_span,
        "span": numbers.span,
        "tokens": numbers.tokens,
        "tone": words.tone,
        "trust_facts": trust_facts,
        "trust_sentence": words.trust_sentence,
    }
    return environment.get_template("report.html.jinja")


def _eventful(flights: Sequence[FlightMark]) -> list[FlightMark]:
    """All flights of a short run; of a long one the worst of those that failed, were repeated, or let requests wait."""
    if len(flights) <= _MOST_FLIGHTS:
        return list(flights)
    eventful = [f for f in flights if f.outcome != "ok" or f.attempts > 1 or f.longest_wait_ms > 0]
    worst = sorted(eventful, key=lambda flight: (flight.outcome == "ok", -flight.longest_wait_ms))[:_MOST_FLIGHTS]
    return sorted(worst, key=lambda flight: flight.start_s)

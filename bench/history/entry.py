"""One run as a line of a history: its figures, what was measured, on what, at which commit. Pure.

`as_entry` takes a run's summary and manifest. Two runs belong to one series when `plan` and `machine` are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.errors import RunInvalid
from bench.metrics import LATENCIES, STREAM_DURATIONS
from bench.plan.load_shape import shape_words
from bench.plan.prompt_plan import bodies_of
from bench.schemas.history import HistoryEntry, Spread
from bench.schemas.values import VERSION

WATCHED = (
    *("response_time.p50", "response_time.p99", "service_time.p50", "error_rate"),
    *("time_to_first_token.p50", "time_to_first_token.p99", "inter_token_latency.p50"),
)
"""What shifts are looked for in, where any run has it; higher is worse for all of them."""

_QUANTILES = ("p50", "p90", "p95", "p99", "p99.9")
_SAME_LOAD = ("arrival_rate", "arrivals", "stages", "users", "duration_s", "processes", "timeout_s")


def as_entry(
    summary: Mapping[str, Any], manifest: Mapping[str, Any], *, at: str, commit: str, branch: str
) -> HistoryEntry:
    """The line for a run. RunInvalid when its summary or manifest lacks what every run has."""
    try:
        plan, host = manifest["plan"], manifest["host"]
        names = [variant["name"] for variant in plan["variants"]]
        return HistoryEntry(
            schema_version=VERSION,
            run_id=summary["run_id"],
            at=at,
            trust=summary["trust"]["verdict"],
            plan=_fingerprint({**_load(summary, plan, names), **_shape(manifest)}),
            machine=_fingerprint({key: host.get(key) for key in ("cpu_model", "usable_cpus")}),
            target=str(plan.get("target", "")),
            commit=commit,
            branch=branch,
            deployments={name: str(plan.get("deployment", "")) for name in names},
            figures={name: _figures(block) for name, block in summary["variants"].items()},
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise RunInvalid(
            f"run {summary.get('run_id', '')} lacks {exc}: it cannot be added to a history", hint="run bench report RUN"
        ) from exc


def _load(summary: Mapping[str, Any], plan: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """What must be the same for two lines to be of one series: a mean of five runs differs less than one run does."""
    runs = {"runs": len(summary["runs"])} if "runs" in summary else {}
    changes = {"changes": plan["changes"]} if plan.get("changes") else {}
    load = {**{key: plan.get(key) for key in _SAME_LOAD}, "payload_sha256": bodies_of(plan)}
    return {"variants": names, **load, **changes, **runs}


def _shape(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Nothing without one: the fingerprints of older lines knew of no shapes."""
    words = shape_words(manifest)
    return {"shape": words} if words else {}


def _figures(block: Mapping[str, Any]) -> dict[str, Spread]:
    figures: dict[str, Spread] = {}
    for metric in (*LATENCIES, *(STREAM_DURATIONS if "streams" in block else ())):
        values, intervals = block[f"{metric}_ms"], block.get(f"{metric}_ms_interval", {})
        for name in _QUANTILES:
            interval = intervals.get(name, {})
            figures[f"{metric}.{name}"] = (values.get(name), interval.get("low"), interval.get("high"))
    interval = block.get("error_rate_interval", {})
    figures["error_rate"] = (block.get("error_rate"), interval.get("low"), interval.get("high"))
    figures["throughput"] = _rate(block, "throughput")
    if "streams" in block:
        figures["output_token_throughput"] = _rate(block["streams"], "throughput")
    if goodput := block.get("goodput"):
        figures["goodput"] = (goodput["rate"], goodput["low"], goodput["high"])
    return figures


def _rate(block: Mapping[str, Any], key: str) -> Spread:
    """What there was a second; of a set with its interval between runs."""
    interval = block.get(f"{key}_interval") or {}
    return (block.get(key), interval.get("low"), interval.get("high"))


def _fingerprint(what: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that are the same for the same values."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:12]

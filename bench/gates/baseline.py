"""Accepted summaries to compare later runs with: `results/baselines/<name>.json`. Edge: reads and writes these files.

A baseline is small enough to commit: the figures of a summary with their intervals and the plan they were measured
by, no samples and no secret. It is refused where a comparison would be of two different things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import schemas
from bench.analysis.summary import MACHINE
from bench.errors import RunInvalid, UsageError, unwritable
from bench.gates.evaluate import INVALID, trust_of
from bench.metrics import OVERHEADS
from bench.plan.load_shape import shape_words
from bench.plan.prompt_plan import bodies_of
from bench.plan.run_plan import RunPlan
from bench.rundir import write_json

SCHEMA_VERSION = schemas.VERSION
FOLDER = Path("results/baselines")

_TRUST = ("verdict", "reasons", "asked_rate", "achieved_rate", "dropped_arrivals", "unwritten_samples")
_VARIANT = {
    *("auth_mode", "requests", "latency_samples", "throughput", "throughput_interval", "error_rate"),
    *("error_rate_interval", "outcomes", "outcome_rates", "within", "auth_failures", "refreshes", "goodput"),
}
_STREAMS = (
    *("requests", "output_tokens", "throughput", "throughput_per_user"),
    *("throughput_interval", "throughput_per_user_interval"),
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REQUEST = ("path", "content_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline as read: what it was measured by (`workload`), on (`host`), and its summary.

    `more_runs` are the summaries of further runs of the same: three runs say how much runs differ.
    """

    name: str
    workload: Mapping[str, Any]
    host: Mapping[str, Any]
    summary: Mapping[str, Any]
    more_runs: tuple[Mapping[str, Any], ...] = ()

    @property
    def summaries(self) -> tuple[Mapping[str, Any], ...]:
        """Of every run, the first first."""
        return (self.summary, *self.more_runs)

    allows: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        return str(self.summary.get("run_id", ""))

    def elsewhere(self, machine: Mapping[str, Any]) -> str:
        """Why times measured on `machine` cannot be held against these; empty where they can, or are said to."""
        if "machine" in self.allows:
            return ""
        differing = [
            f"{key.replace('_', ' ')} {then}, this run on {machine[key]}"
            for key, then in self.host.items()
            if machine.get(key) is not None and machine[key] != then
        ]
        return f"baseline {self.name} was measured on {' and '.join(differing)}" if differing else ""


def save(
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    *,
    name: str,
    folder: Path = FOLDER,
    more: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = (),
) -> Path:
    """Write the baseline `name`, in the place of an older one; `more` has summary and manifest of further runs.

    RunInvalid for a run that cannot be believed, UsageError for runs that measured different things.
    """
    path = _path(name, folder)
    for one, measured_by in ((summary, manifest), *more):
        if trust_of(one) == INVALID:
            reasons = one.get("trust", {}).get("reasons", ["no trust verdict"])
            raise RunInvalid(
                f"run {one.get('run_id')} is INVALID and makes no baseline: {reasons[0]}", hint="run it again"
            )
        differing = unlike(workload(manifest), workload(measured_by))
        if differing:
            raise UsageError(
                f"run {one.get('run_id')} measured something else than run {summary.get('run_id')}: "
                f"{'; '.join(differing)}",
                hint="save runs of one plan as one baseline",
            )
    host = manifest.get("host", {})
    values = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "workload": workload(manifest),
        "host": {key: host[key] for key in MACHINE if key in host},
        "summary": _figures(summary),
        **({"more_runs": [_figures(one) for one, _ in more]} if more else {}),
    }
    try:
        write_json(path, values)
    except OSError as exc:
        raise unwritable(f"cannot write {path}", exc, hint="is the folder writable, the disk full?") from exc
    return path


def load(name: str, folder: Path = FOLDER) -> Baseline:
    """The baseline `name`; UsageError when there is none, or when it is not as `schemas.Baseline` says."""
    path = _path(name, folder)
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.json"))) or "none"
        raise UsageError(
            f"there is no baseline {name!r} in {folder}; there are: {known}",
            hint=f"make it with `bench baseline save RUN --as {name}`",
        )
    values = schemas.load(path, schemas.Baseline, error=UsageError)
    more_runs = tuple(values.get("more_runs", ()))
    for summary in (values["summary"], *more_runs):
        if summary["schema_version"] > schemas.VERSION:
            newer = f"schema_version {summary['schema_version']}, this version reads {schemas.VERSION}"
            raise UsageError(f"{path} has a summary of {newer}", hint="update this tool")
    return Baseline(
        name=name,
        workload=values["workload"],
        host=values["host"],
        summary=values["summary"],
        more_runs=more_runs,
    )


def refuse_plan(baseline: Baseline, plan: RunPlan) -> None:
    """UsageError when the load that is planned differs from the baseline's; for before the first request.

    Target, variants and payload may not be known yet: `refuse_unlike` looks at all of it when the run is over.
    """
    planned = _load(plan.as_json())
    _refuse(baseline, _differences(baseline, planned))


def refuse_unlike(baseline: Baseline, summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """UsageError with every difference between what was measured then and now; returns when there is none."""
    differences = _differences(baseline, workload(manifest))
    then, now = baseline.summary.get("schema_version"), summary.get("schema_version")
    if then != now:
        differences.append(f"summary schema was {then}, is {now}")
    _refuse(baseline, differences)


def caveats(baseline: Baseline, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on what does not forbid a comparison but may explain a difference: another kind of machine."""
    host = manifest.get("host", {})
    return [
        f"baseline {baseline.name} was measured with {key.replace('_', ' ')} {then}, this run with {host.get(key)}"
        for key, then in baseline.host.items()
        if host.get(key) != then
    ]


def _path(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:110]!r} cannot name a baseline", hint="use up to 100 letters, digits, dots, dashes")
    return folder / f"{name}.json"


def workload(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """All that must agree for two runs to have measured one thing, under the names an error calls it by."""
    plan = manifest.get("plan", {})
    return {
        "target": manifest.get("target", {}).get("kind"),
        "variants": {variant["name"]: variant["auth_mode"] for variant in plan.get("variants", ())},
        "payload": bodies_of(plan),
        "requests": plan.get("request", {}).get("requests_sha256") or None,
        "shape": shape_words(manifest) or None,
        **_load(plan),
    }


def unlike(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not the same in two workloads, a sentence each."""
    return [
        f"{name} was {_short(then.get(name))}, is {_short(value)}"
        for name, value in now.items()
        if then.get(name) != value
    ]


def _load(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What of a plan decides the load. The seed and the duration are left out: they move no figure."""
    request = plan.get("request", {})
    return {
        "workload model": plan.get("model"),
        "arrival rate": plan.get("arrival_rate"),
        "arrivals": plan.get("arrivals"),
        "stages": [dict(stage) for stage in plan.get("stages", ())],
        "users": plan.get("users"),
        "changes by hand": list(plan.get("changes", ())) or None,
        "deployment": plan.get("deployment"),
        "goodput": list(plan.get("goodput", ())) or None,
        **{name.replace("_", " "): request.get(name) or None for name in _REQUEST},
        "headers": [list(header) for header in request.get("headers", ())] or None,
    }


def _differences(baseline: Baseline, measured: Mapping[str, Any]) -> list[str]:
    return unlike(baseline.workload, {name: value for name, value in measured.items() if name not in baseline.allows})


def _refuse(baseline: Baseline, differences: list[str]) -> None:
    if differences:
        raise UsageError(
            f"baseline {baseline.name} measured something else: {'; '.join(differences)}",
            hint=f"run with the same plan, or `bench baseline save RUN --as {baseline.name}`",
        )


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What gates ask of a baseline: figures, counts and intervals, without the curves a report draws."""
    sides = ("baseline", "candidate", *(f"{metric}_ms" for metric in OVERHEADS.values()))
    figures = {key: summary[key] for key in ("schema_version", "run_id", "measured_s") if key in summary}
    figures["trust"] = _only(summary.get("trust", {}), _TRUST)
    figures["variants"] = {name: _of_variant(block) for name, block in summary.get("variants", {}).items()}
    if "comparison" in summary:
        figures["comparison"] = _only(summary["comparison"], sides)
    if "comparisons" in summary:
        figures["comparisons"] = [_only(each, sides) for each in summary["comparisons"]]
    return figures


def _of_variant(block: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in block.items() if key in _VARIANT or "_ms" in key}
    classes = {name: _of_variant(one) for name, one in block.get("classes", {}).items()}
    streams = {"streams": _only(block["streams"], _STREAMS)} if "streams" in block else {}
    return kept | ({"classes": classes} if classes else {}) | streams


def _only(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}


def _short(value: Any) -> str:
    """A workload's value in an error: a hash is cut to what distinguishes it."""
    text = str(value) if value not in (None, "", []) else "none"
    return f"{text[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", text) else text

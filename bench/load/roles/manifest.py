"""What a run was made with, for `manifest.json`. Edge: asks the system."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import schemas
from bench.clock import ClockAnchor
from bench.endpoint import Endpoint
from bench.load.wire.address import proxy_of
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir

_PACKAGES = (
    "azureml-endpoint-bench",
    "locust",
    "gevent",
    "httptools",
    "azure-identity",
    "azure-ai-ml",
    "pyarrow",
    "numpy",
)


def manifest_of(
    run: RunDir,
    plan: RunPlan,
    *,
    anchor: ClockAnchor,
    described: Mapping[str, Endpoint] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything a reader needs to know what was measured, on what; no secret. `notes` were shown before the run.

    The master fills in clock and workers when the run starts, and `ended` at its end.
    """
    shown = tuple(dataclasses.replace(variant, scoring_uri=variant.shown_uri) for variant in plan.variants)
    return {
        "schema_version": 1,
        "run_id": run.run_id,
        "plan": dataclasses.replace(
            plan, variants=shown, client_cert=Path(plan.client_cert).name, client_key=Path(plan.client_key).name
        ).as_json(),
        "seed": plan.seed,
        "measure_from_ns": round(plan.warm_up_s * 1e9),
        "target": {
            "kind": plan.target,
            "endpoints": {name: _shown(endpoint) for name, endpoint in (described or {}).items()},
            "notes": list(notes),
        },
        "variants": {
            variant.name: {
                "auth_mode": variant.auth_mode.value,
                "endpoint": variant.endpoint,
                "scoring_uri": variant.scoring_uri,
                "proxy": proxy.shown if (proxy := proxy_of(variant.scoring_uri)) else "",
                "proxy_auth": "basic" if proxy is not None and proxy.authorization else "",
                "deployment": variant.deployment,
            }
            for variant in shown
        },
        "versions": versions(),
        "host": {**host(), "hostname": platform.node()},
        "clock": {"monotonic_ns": anchor.monotonic_ns, "wall_ns": anchor.wall_ns, "pacer": ""},
        "workers": [],
    }


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    """What ARM said of it; its scoring URI stands with the variants, where secrets are taken out of it."""
    values = endpoint.as_json()
    del values["scoring_uri"]
    return values


def rows_written(run: RunDir, counter: str = "written") -> dict[str, int]:
    """How many samples each worker has handed to its file, by the last line of its health; who has none is left out.

    The `counter` `gaps_written` is that of the gaps between tokens.
    """
    ends = {
        path.stem: record[counter]
        for path in sorted(run.health.glob("*.jsonl"))
        for record in schemas.load_lines(path, schemas.HealthTick, cut=True)[0]
        if record.get("end") is True and isinstance(record.get(counter), int)
    }
    return dict(sorted(ends.items()))


def versions() -> dict[str, str]:
    """Of Python and of what the figures depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def host() -> dict[str, Any]:
    """The machine, without its name."""
    return {
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu_model": _cpu_model(),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())

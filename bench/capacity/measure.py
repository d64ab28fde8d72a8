"""Runs the load engine for one probe. Edge: starts Locust."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bench.analysis.summary import summarise
from bench.capacity.probe import Measured
from bench.capacity.stability import why_unstable
from bench.errors import RunInvalid
from bench.launch.locust_process import temporary_folder
from bench.launch.run import locustfile_for, run_locust
from bench.runreader import load_run


def measure(values: dict[str, Any], deadlines_ms: Collection[float], rate: float, seconds: float) -> Measured:
    """Run the load engine; `deadlines_ms` are those of `within` objectives. RunInvalid when it did not end as asked."""
    words = {**values, "arrival_rate": f"{rate:g}", "duration": f"{seconds:g}s"}
    with temporary_folder("bench-capacity-") as folder:
        run, code = run_locust(locustfile_for(values["auth_mode"]), {**words, "out": folder})
        if run is None or code != 0:
            raise RunInvalid("a probe did not run to its end", hint="try it with `bench run`")
        loaded = load_run(run.path)
        return summarise(loaded, deadlines_ms=deadlines_ms), why_unstable(loaded)

"""Slow requests under the ids by which a tracing system knows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.analysis.slowest import MOST, slowest
from bench.analysis.summary import summarise
from bench.report.build import write_report
from bench.rundir import RunDir
from bench.runreader import load_run
from bench.trace_context import TraceContext
from tests.analysis.synthetic import Side, write_run


def test_the_slowest_of_those_that_were_sampled(tmp_path: Path) -> None:
    """The rest could not be found. The ids are those that were sent, whichever worker sent them."""
    path = write_run(
        tmp_path / "20260101-000000-000-beef", sides=(Side("key"),), workers=2, duration_s=5, trace_share=0.2
    )
    run = load_run(path)
    found = slowest(run, "key")
    assert len(found) == MOST
    assert {one["worker"] for one in found} == {"w0", "w1"}
    took = [one["response_time_ms"] for one in found]
    assert took == sorted(took, reverse=True)
    contexts = {worker: TraceContext(run.run_id, worker, share=0.2) for worker in ("w0", "w1")}
    for one in found:
        assert contexts[one["worker"]].is_sampled(one["sequence"])
        assert contexts[one["worker"]].trace_id(one["sequence"]) == one["trace_id"]
    samples = run.samples
    response_ms = (samples.done_ns - samples.intended_ns)[run.rows("key")] / 1e6
    slower = np.flatnonzero(response_ms > took[0])
    numbers = samples.sequence[run.rows("key")][slower]
    workers = samples.worker[run.rows("key")][slower]
    sampled = [contexts[samples.words["worker"][w]].is_sampled(int(n)) for w, n in zip(workers, numbers, strict=True)]
    assert not any(sampled)


def test_the_report_has_the_ids_and_one_without_traces_has_no_such_table(tmp_path: Path) -> None:
    """As a run of an older version."""
    traced = write_run(tmp_path / "20260101-000000-000-beef", sides=(Side("key"),), duration_s=3, trace_share=1.0)
    write_report(traced)
    page = RunDir(traced).report.read_text(encoding="utf-8")
    assert "Slow requests to look up" in page
    assert slowest(load_run(traced), "key")[0]["trace_id"] in page
    plain = load_run(write_run(tmp_path / "20260101-000000-000-dead", sides=(Side("key"),), duration_s=3))
    assert "slowest" not in summarise(plain)["variants"]["key"]
    assert slowest(plain, "key") == []

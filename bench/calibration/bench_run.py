"""One run of the real harness on one core against an emulator on another, and its truth. Edge; for `bench calibrate`.

The harness is started as a user starts it (`bench run`), with an aml_token that is renewed during the run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import schemas
from bench.analysis.run import LoadedRun
from bench.calibration import truth
from bench.errors import RunInvalid
from bench.launch.run import run_bench
from bench.runreader import load_run
from bench.samples import stream
from bench.target.local_emulator import LocalEmulator

LIVES = "--token-life 6s --refresh-after 3s"
_ENDED_BADLY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Where the harness and its target are held; None where the system cannot hold a process."""

    client: int | None
    server: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How each row of a table is measured: `seconds` judged in each run, the quietest of `repeat` runs is kept."""

    seconds: float
    repeat: int
    cores: Cores


def two_cores() -> Cores:
    """The first two cores this process may use; the same one twice when there is only one."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(client=None, server=None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(client=usable[0], server=usable[-1])


def hold(core: int | None, pid: int = 0) -> None:
    """Keep a process (this one by default) on one core."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


@contextmanager
def emulator_on(core: int | None, options: str, truth_file: Path) -> Iterator[dict[str, Any]]:
    """A running emulator held on `core`: what it said of itself."""
    running = LocalEmulator.start(f"{options} --truth {truth_file}")
    try:
        hold(core, running.process.pid)
        yield running.facts
    finally:
        running.stop()


def bench(
    words: list[str], *, core: int | None, environment: Mapping[str, str], cwd: Path, command: str = "run"
) -> tuple[LoadedRun, dict[str, Any]]:
    """Run `bench run` (or `compare`) with `words` and load its run and summary. RunInvalid when there is none."""
    code, out, err = run_bench([command, *words, "--out", str(cwd)], environment=environment, core=core)
    runs = sorted(cwd.glob("*/summary.json"))
    if code not in {0, _ENDED_BADLY} or not runs:
        raise RunInvalid(f"a calibration run failed: {(err or out).strip()}", hint="try `bench run`")
    return load_run(runs[-1].parent), schemas.load(runs[-1], schemas.Summary)


def endpoint_words(facts: Mapping[str, Any], mode: str) -> list[str]:
    """Options of `bench run` that aim at the emulator's endpoint of an auth mode."""
    place = facts["workspace"]
    return [
        f"--endpoint={facts['endpoints'][mode]}",
        f"--auth-mode={mode}",
        f"--subscription-id={place['subscription_id']}",
        f"--resource-group={place['resource_group']}",
        f"--workspace={place['workspace_name']}",
        f"--ca-file={facts['ca_file']}",
    ]


def errors_of(run: LoadedRun, truth_file: Path, *, request_class: str | None = None) -> truth.Errors:
    """How far the measured samples of all workers, or those of a class, are from the emulator's records of them."""
    records = truth.records(truth_file.read_bytes())
    tables = [_table(path) for path in sorted((run.path / "samples").glob("*.arrows"))]
    columns = {name: np.concatenate([table[name] for _, table in tables]) for name in _COMPARED}
    measured = columns["intended_ns"] >= run.manifest["measure_from_ns"]
    if request_class is not None:
        measured &= np.concatenate([table[_CLASS] for _, table in tables]) == request_class
    # a request's number is unique on its worker; with the worker's own number before it, in the run
    sequence = np.concatenate([table["sequence"].astype(np.int64) + (n << 32) for n, (_, table) in enumerate(tables)])
    found = np.full(len(records), -1, np.int64)
    for n, (worker, _) in enumerate(tables):
        own = truth.numbers(records["id"], f"{run.run_id}-{worker}-")
        found = np.where(own >= 0, own + (n << 32), found)
    return truth.compare(
        records,
        found,
        sequence=sequence[measured],
        intended_ns=columns["intended_ns"][measured],
        sent_ns=columns["sent_ns"][measured],
        done_ns=columns["done_ns"][measured],
        zero_ns=run.manifest["clock"]["monotonic_ns"],
    )


_COMPARED = ("sequence", "intended_ns", "sent_ns", "done_ns")
_CLASS = "request_class"


def _table(path: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    """A worker's name and its columns. RunInvalid for a file that is not sound."""
    found = stream.inspect(path)
    if found.fault or not found.rows:
        raise RunInvalid(f"samples/{path.name} {found.fault or 'has no sample'}", hint="calibrate again")
    batches = list(stream.batches(found, (*_COMPARED, _CLASS)))
    columns = {name: np.concatenate([batch.numbers(name) for batch in batches]) for name in _COMPARED}
    words = [(codes, np.array(names)) for codes, names in (batch.words(_CLASS) for batch in batches)]
    return path.stem, {**columns, _CLASS: np.concatenate([names[codes] for codes, names in words])}


def cpu_us_per_request(run: LoadedRun) -> float:
    """CPU of all workers over their requests in the steady part: neither connecting nor ending counts, nor the agent.

    NaN when the measured part is shorter than two health records of a worker.
    """
    begin_ns, end_ns = run.window_ns
    cpu_s, requests = 0.0, 0
    for records in run.health.values():
        ticks = [record for record in records if "cpu" in record]
        for before, after in pairwise(ticks):
            if before["at_ns"] >= begin_ns and after["at_ns"] <= end_ns:
                cpu_s += after["cpu"] * (after["at_ns"] - before["at_ns"]) / 1e9
                requests += after["requests"] - before["requests"]
    return cpu_s / requests * 1e6 if requests else math.nan

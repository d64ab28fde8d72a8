"""Other load generators beside this one: same target, rate and core, in turn. Edge; for `bench calibrate --peers`.

    saturated   50 users back to back against nginx (the emulator where nginx is missing): requests/s, CPU a request
    open        1,000 and 4,000 arrivals/s against the emulator's known times: what each tool reports, less the truth

Every tool is its own process held on one core, and its figures are parsed from its own output. A tool that is not
installed is left out, and said so on stderr. A secret reaches a tool through its environment, never its arguments.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibration import truth
from bench.calibration.bench_run import Setting, bench, cpu_us_per_request, emulator_on, hold
from bench.calibration.other_load import quietest
from bench.calibration.peer_tools import TOOLS, WARM_UP_S, Job, Times
from bench.calibration.plain_server import plain_server
from bench.credentials import Grant, PlainAgent
from bench.endpoint import AuthMode, Workspace
from bench.errors import CredentialError

Row = dict[str, Any]

_OPEN_RATES = (1000, 4000)
_SATURATED = ("bench", "locust", "k6", "wrk", "hey")
_OPEN = ("bench", "locust", "k6")
_QUANTILES = ("p50", "p99", "p99.9")
_NO_SECRET = "x" * 64
_OURS = "ours / its"
"""Requests a second that bench made, over those of this tool."""


def all_of_them(setting: Setting) -> Iterator[Row]:
    """Ours and every peer that is there, saturated and open."""
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as name:
        folder = Path(name)
        with plain_server(setting.cores.server, folder) as (uri, server):
            ours = 0.0
            for tool in _SATURATED:
                job = Job(uri=uri, seconds=setting.seconds, rate=None, folder=folder)
                row = quietest(partial(_row, tool, job, setting.cores.client, _NO_SECRET), repeat=setting.repeat)
                if row is not None:
                    ours = ours or row["achieved /s"]
                    yield {"load": f"{tool}, saturated, {server}", **row, _OURS: ours / max(row["achieved /s"], 1)}
        for rate in _OPEN_RATES:
            for tool in _OPEN:
                row = quietest(partial(_against_truth, tool, rate, setting, folder), repeat=setting.repeat)
                if row is not None:
                    yield {"load": f"{tool}, {rate}/s open", **row}


def _against_truth(tool: str, rate: int, setting: Setting, folder: Path) -> Row | None:
    """A tool's reported quantiles less those of every request the emulator answered in the same run."""
    truth_file = folder / f"truth-{tool}-{rate}"
    with emulator_on(setting.cores.server, "", truth_file) as facts:
        job = Job(uri=facts["scoring_uri"]["key"], seconds=setting.seconds, rate=rate, folder=folder)
        row = _row(tool, job, setting.cores.client, key_of(facts))
    if row is None:
        return None
    records = truth.records(truth_file.read_bytes())
    if len(records):
        warm = records["received_ns"] >= records["received_ns"].min() + WARM_UP_S * 1e9
        true_ms = (records["answered_ns"] - records["received_ns"])[warm] / 1e6
        for name in _QUANTILES:
            row[f"error {name} ms"] = row[f"reported {name} ms"] - float(np.quantile(true_ms, truth.QUANTILES[name]))
    return row


def _row(name: str, job: Job, core: int | None, secret: str) -> Row | None:
    """One tool's own figures; None when it is not installed."""
    if name == "bench":
        return _ours(job, core, secret)
    tool = TOOLS[name]
    path = tool.find()
    if path is None:
        sys.stderr.write(f"{name} is not installed: left out\n")
        return None
    out, cpu_s, wall_s = _timed(tool.command(path, job), {**job.environment, "SECRET": secret}, core)
    requests, reported = tool.read(job, out)
    return _figures(
        requests / (job.seconds if tool.timed_by_itself else wall_s), cpu_s / max(requests, 1) * 1e6, reported
    )


def _ours(job: Job, core: int | None, secret: str) -> Row:
    load = [f"--users={job.users}"] + ([f"--arrival-rate={job.rate}"] if job.rate else [])
    run, summary = bench(
        [f"--scoring-uri={job.uri}", *load, f"--duration={job.seconds:g}s", f"--warm-up={WARM_UP_S:g}s"],
        core=core,
        environment={"BENCH_KEY": secret},
        cwd=Path(tempfile.mkdtemp(dir=job.folder)),
    )
    block = summary["variants"]["key"]
    return _figures(block["throughput"], cpu_us_per_request(run), block["service_time_ms"])


def _figures(achieved: float, cpu_us: float, times: Times) -> Row:
    return {
        "achieved /s": achieved,
        "CPU us/request": cpu_us,
        **{f"reported {q} ms": times.get(q) for q in _QUANTILES},
    }


def _timed(command: list[str], environment: dict[str, str], core: int | None) -> tuple[str, float, float]:
    """What a tool printed, the CPU it used (s) and how long it took (s)."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=(lambda: hold(core)) if core is not None else None,
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    out = process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    process.stdout.close()
    return out, used.ru_utime + used.ru_stime, time.monotonic() - began


def key_of(facts: dict[str, Any]) -> str:
    """The key of a running emulator's endpoint, asked for as a user would."""
    agent = PlainAgent(Workspace(**facts["workspace"]), env=facts["env"])
    try:
        granted = agent.fetch(facts["endpoints"]["key"], AuthMode.KEY)
    finally:
        agent.close()
    if not isinstance(granted, Grant):
        raise CredentialError("the emulator gave no key", hint="try `bench doctor --emulator`")
    return granted.secrets[0]

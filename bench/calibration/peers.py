"""Other load generators beside this one: same target, rate and core, in turn. Edge; for `bench calibrate --peers`.

    saturated   50 users back to back against nginx (the emulator where nginx is missing): requests/s, CPU a request
    open        1,000 and 4,000 arrivals/s against the emulator's known times: what each tool reports, less the truth

Every tool is its own process held on one core, and its figures are parsed from its own output. A tool that is not
installed is left out, and said so on stderr. A secret reaches a tool through its environment, never its arguments.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibration import truth
from bench.calibration.bench_run import Cores, bench, cpu_us_per_request, emulator_on, hold
from bench.calibration.peer_scripts import K6, LOCUST, LUA, NGINX
from bench.credentials import Grant, PlainAgent
from bench.endpoint import AuthMode, Workspace
from bench.errors import CredentialError, RunInvalid

Row = dict[str, Any]

_USERS = 50
_OPEN_RATES = (1000, 4000)
_WARM_UP_S = 2.0
_QUANTILES = ("p50", "p99", "p99.9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a tool is to do; `rate` is None for saturated."""

    uri: str
    seconds: float
    rate: int | None
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "TARGET": self.uri,
            "RATE": str(self.rate or 0),
            "SECONDS": f"{self.seconds:g}",
            "USERS": str(self.users),
        }

    @property
    def users(self) -> int:
        return _USERS if self.rate is None else 400


def all_of_them(*, seconds: float, cores: Cores) -> Iterator[Row]:
    """Ours and every peer that is there, saturated and open."""
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as name:
        folder = Path(name)
        with _plain_server(cores, folder) as (uri, server):
            for tool in ("bench", "locust", "k6", "wrk", "hey"):
                row = _row(tool, Job(uri=uri, seconds=seconds, rate=None, folder=folder), cores)
                if row is not None:
                    yield {"load": f"{tool}, saturated, {server}", **row}
        for rate in _OPEN_RATES:
            for tool in ("bench", "locust", "k6"):
                row = _against_truth(tool, rate, seconds=seconds, cores=cores, folder=folder)
                if row is not None:
                    yield {"load": f"{tool}, {rate}/s open", **row}


def _row(tool: str, job: Job, cores: Cores, secret: str = "x" * 64) -> Row | None:
    """One tool's own figures: `reported` is empty where it is not asked for times."""
    if tool == "bench":
        return _ours(job, cores, secret)
    path = shutil.which(tool) if tool != "locust" else sys.executable
    if path is None:
        sys.stderr.write(f"{tool} is not installed: left out\n")
        return None
    commands = {
        "locust": [
            path,
            "-m",
            "locust",
            "-f",
            _script(job, "stock.py", LOCUST),
            "--headless",
            "--only-summary",
            "--users",
            str(job.users),
            "--spawn-rate",
            "1000",
            "--run-time",
            f"{job.seconds + _WARM_UP_S:g}s",
            "--host",
            job.uri,
            "--csv",
            str(job.folder / "stock"),
            "--loglevel",
            "ERROR",
        ],
        "k6": [
            path,
            "run",
            "--quiet",
            "--no-usage-report",
            f"--summary-export={job.folder / 'k6.json'}",
            _script(job, "peer.js", K6),
        ],
        "wrk": [path, "-t1", f"-c{_USERS}", f"-d{job.seconds:g}s", "-s", _script(job, "post.lua", LUA), job.uri],
        "hey": [
            path,
            "-m",
            "POST",
            "-T",
            "application/json",
            "-d",
            "{}",
            "-c",
            str(_USERS),
            "-z",
            f"{job.seconds:g}s",
            job.uri,
        ],
    }
    out, cpu_s, wall_s = _timed(commands[tool], {**job.environment, "SECRET": secret}, cores.client)
    requests, reported = {"locust": _read_locust, "k6": _read_k6, "wrk": _read_wrk, "hey": _read_hey}[tool](job, out)
    return {
        "achieved /s": requests / wall_s if tool in {"wrk", "hey"} else requests / job.seconds,
        "CPU us/request": cpu_s / max(requests, 1) * 1e6,
        **{f"reported {q} ms": reported.get(q) for q in _QUANTILES},
    }


def _ours(job: Job, cores: Cores, secret: str) -> Row:
    load = [f"--users={job.users}"] + ([f"--arrival-rate={job.rate}"] if job.rate else [])
    run, summary = bench(
        [f"--scoring-uri={job.uri}", *load, f"--duration={job.seconds:g}s", f"--warm-up={_WARM_UP_S:g}s"],
        core=cores.client,
        environment={"BENCH_KEY": secret},
        cwd=Path(tempfile.mkdtemp(dir=job.folder)),
    )
    block = summary["variants"]["key"]
    return {
        "achieved /s": block["throughput"],
        "CPU us/request": cpu_us_per_request(run),
        **{f"reported {q} ms": block["service_time_ms"][q] for q in _QUANTILES},
    }


def _against_truth(tool: str, rate: int, *, seconds: float, cores: Cores, folder: Path) -> Row | None:
    """A tool's reported quantiles less those of every request the emulator answered in the same run."""
    truth_file = folder / f"truth-{tool}-{rate}"
    with emulator_on(cores.server, "", truth_file) as facts:
        job = Job(uri=facts["scoring_uri"]["key"], seconds=seconds, rate=rate, folder=folder)
        row = _row(tool, job, cores, _key(facts))
    if row is None:
        return None
    records = truth.records(truth_file.read_bytes())
    late = records["received_ns"] >= records["received_ns"].min() + _WARM_UP_S * 1e9 if len(records) else records
    true_ms = (records["answered_ns"] - records["received_ns"])[late] / 1e6
    for name in _QUANTILES:
        reported = row[f"reported {name} ms"]
        row[f"error {name} ms"] = (
            reported - float(np.quantile(true_ms, truth.QUANTILES[name])) if reported is not None else None
        )
    return row


def _key(facts: dict[str, Any]) -> str:
    agent = PlainAgent(Workspace(**facts["workspace"]), env=facts["env"])
    try:
        granted = agent.fetch(facts["endpoints"]["key"], AuthMode.KEY)
    finally:
        agent.close()
    if not isinstance(granted, Grant):
        raise CredentialError("the emulator gave no key", hint="try `bench doctor --emulator`")
    return granted.secrets[0]


@contextmanager
def _plain_server(cores: Cores, folder: Path) -> Iterator[tuple[str, str]]:
    """nginx on a free port, held on the server's core; else the emulator without a service time."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        with emulator_on(cores.server, "--service-zero", folder / "unused") as facts:
            yield facts["scoring_uri"]["key"], "emulator"
        return
    listing = folder / "nginx.sock-port"
    port = _free_port()
    listing.write_text(NGINX.format(folder=folder, port=port), encoding="utf-8")
    process = subprocess.Popen([nginx, "-c", str(listing), "-e", str(folder / "errors")])
    try:
        hold(cores.server, process.pid)
        _until_it_listens(port)
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split():
            hold(cores.server, int(child))
        yield f"http://127.0.0.1:{port}/score", "nginx"
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_listens(port: int) -> None:
    import socket

    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RunInvalid("nginx did not start", hint="try `nginx -t`")


def _script(job: Job, name: str, text: str) -> str:
    path = job.folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _timed(command: list[str], environment: dict[str, str], core: int | None) -> tuple[str, float, float]:
    """What a tool printed, the CPU it used (s) and how long it took (s). RunInvalid when it says nothing."""
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
    return out, used.ru_utime + used.ru_stime, time.monotonic() - began


def _read_locust(job: Job, out: str) -> tuple[int, dict[str, float]]:
    del out
    with (job.folder / "stock_stats.csv").open(encoding="utf-8") as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    wanted = {"p50": "50%", "p99": "99%", "p99.9": "99.9%"}
    share = job.seconds / (job.seconds + _WARM_UP_S)
    return round(int(total["Request Count"]) * share), {q: float(total[column]) for q, column in wanted.items()}


def _read_k6(job: Job, out: str) -> tuple[int, dict[str, float]]:
    del out
    metrics = json.loads((job.folder / "k6.json").read_text(encoding="utf-8"))["metrics"]
    times = metrics["http_req_duration"]
    return metrics["http_reqs"]["count"], {"p50": times["med"], "p99": times["p(99)"], "p99.9": times["p(99.9)"]}


def _read_wrk(job: Job, out: str) -> tuple[int, dict[str, float]]:
    del job
    found = re.search(r"(\d+) requests in", out)
    return int(found[1]) if found else 0, {}


def _read_hey(job: Job, out: str) -> tuple[int, dict[str, float]]:
    del job
    return sum(int(count) for count in re.findall(r"\[\d{3}\]\s+(\d+) responses", out)), {}

"""One adapter a tool: its command, and how its own output is read. Edge: looks for tools, writes scripts; for `peers`.

Open arrivals are `constant_throughput` for Locust and `constant-arrival-rate` for k6; wrk and hey have none.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.calibration.peer_scripts import K6, LOCUST, LUA

WARM_UP_S = 2.0
"""Given to Locust on top of the measured seconds: its users take a while to be there."""
_SATURATING_USERS = 50
_OPEN_USERS = 400

Times = dict[str, float]
"""Latency in ms by quantile (`p50`, `p99`, `p99.9`), as the tool itself rounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a tool is to do; `rate` (1/s) is None for saturated."""

    uri: str
    seconds: float
    rate: int | None
    folder: Path

    @property
    def users(self) -> int:
        return _SATURATING_USERS if self.rate is None else _OPEN_USERS

    @property
    def environment(self) -> dict[str, str]:
        """What the scripts read."""
        seconds, rate = f"{self.seconds:g}", str(self.rate or 0)
        return {"TARGET": self.uri, "RATE": rate, "SECONDS": seconds, "USERS": str(self.users)}

    def script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`find` says where it is, or None; `read` gives the requests it counted and the times it reported."""

    find: Callable[[], str | None]
    command: Callable[[str, Job], list[str]]
    read: Callable[[Job, str], tuple[int, Times]]
    timed_by_itself: bool = False
    """Whether its count covers `Job.seconds` exactly; else it covers the process's whole life."""


def _locust_command(path: str, job: Job) -> list[str]:
    script = job.script("stock.py", LOCUST)
    return [
        *(path, "-m", "locust", "-f", script, "--headless", "--only-summary", "--loglevel", "ERROR"),
        *("--users", str(job.users), "--spawn-rate", "1000", "--run-time", f"{job.seconds + WARM_UP_S:g}s"),
        *("--host", job.uri, "--csv", str(job.folder / "stock")),
    ]


def _read_locust(job: Job, _: str) -> tuple[int, Times]:
    with (job.folder / "stock_stats.csv").open(encoding="utf-8") as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    share = job.seconds / (job.seconds + WARM_UP_S)
    columns = {"p50": "50%", "p99": "99%", "p99.9": "99.9%"}
    return round(int(total["Request Count"]) * share), {q: float(total[column]) for q, column in columns.items()}


def _k6_command(path: str, job: Job) -> list[str]:
    export = f"--summary-export={job.folder / 'k6.json'}"
    return [path, "run", "--quiet", "--no-usage-report", export, job.script("peer.js", K6)]


def _read_k6(job: Job, _: str) -> tuple[int, Times]:
    metrics = json.loads((job.folder / "k6.json").read_text(encoding="utf-8"))["metrics"]
    times = metrics["http_req_duration"]
    return metrics["http_reqs"]["count"], {"p50": times["med"], "p99": times["p(99)"], "p99.9": times["p(99.9)"]}


def _wrk_command(path: str, job: Job) -> list[str]:
    return [path, "-t1", f"-c{job.users}", f"-d{job.seconds:g}s", "-s", job.script("post.lua", LUA), job.uri]


def _read_wrk(_: Job, out: str) -> tuple[int, Times]:
    found = re.search(r"(\d+) requests in", out)
    return int(found[1]) if found else 0, {}


def _hey_command(path: str, job: Job) -> list[str]:
    body = ("-m", "POST", "-T", "application/json", "-d", "{}")
    return [path, *body, "-c", str(job.users), "-z", f"{job.seconds:g}s", job.uri]


def _read_hey(_: Job, out: str) -> tuple[int, Times]:
    return sum(int(count) for count in re.findall(r"\[\d{3}\]\s+(\d+) responses", out)), {}


TOOLS: Mapping[str, Tool] = {
    "locust": Tool(find=lambda: sys.executable, command=_locust_command, read=_read_locust, timed_by_itself=True),
    "k6": Tool(find=lambda: shutil.which("k6"), command=_k6_command, read=_read_k6, timed_by_itself=True),
    "wrk": Tool(find=lambda: shutil.which("wrk"), command=_wrk_command, read=_read_wrk),
    "hey": Tool(find=lambda: shutil.which("hey"), command=_hey_command, read=_read_hey),
}

"""Other tools' figures are read from what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.calibration.peer_tools import TOOLS, Job

_WRK = """\
Running 6s test @ http://127.0.0.1:8080/score
  1 threads and 50 connections
  762123 requests in 6.00s, 128.66MB read
Requests/sec: 127020.45
"""
_HEY = """\
Status code distribution:
  [200]\t222354 responses
  [502]\t6 responses
"""
_LOCUST = """\
Type,Name,Request Count,50%,99%,99.9%
POST,score,800,4,29,40
,Aggregated,800,4,29,40
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(uri="http://127.0.0.1:1/score", seconds=6, rate=None, folder=tmp_path)


def test_wrk_and_hey_count_requests(job: Job) -> None:
    """They are asked for no times; every answer counts, whatever its status."""
    assert TOOLS["wrk"].read(job, _WRK) == (762123, {})
    assert TOOLS["hey"].read(job, _HEY) == (222360, {})
    assert TOOLS["wrk"].read(job, "unable to connect") == (0, {})


def test_locust_counts_its_warm_up_too(job: Job) -> None:
    """Of 8 s with 2 s of warm-up, three quarters of the requests are the measured part's."""
    (job.folder / "stock_stats.csv").write_text(_LOCUST)
    assert TOOLS["locust"].read(job, "") == (600, {"p50": 4.0, "p99": 29.0, "p99.9": 40.0})


def test_k6_tells_by_its_summary(job: Job) -> None:
    """Times are in ms there as well."""
    times = {"med": 3.4, "p(99)": 18.1, "p(99.9)": 24.8}
    (job.folder / "k6.json").write_text(
        json.dumps({"metrics": {"http_reqs": {"count": 70000}, "http_req_duration": times}})
    )
    assert TOOLS["k6"].read(job, "") == (70000, {"p50": 3.4, "p99": 18.1, "p99.9": 24.8})


@pytest.mark.parametrize("name", TOOLS)
def test_no_command_shows_the_secret(name: str, job: Job) -> None:
    """It comes through the environment, which the process list does not show."""
    command = TOOLS[name].command(name, job)
    assert job.environment.keys() == {"TARGET", "RATE", "SECONDS", "USERS"}
    assert not [word for word in command if "Bearer" in word or "SECRET" in word]

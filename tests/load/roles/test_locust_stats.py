"""Locust's statistics are the same whether it counts each request itself or is given a batch of rows."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json, sys
from locust import User, task
from locust.env import Environment
from locust.stats import RequestStats
import numpy as np
from bench.clock import monotonic_ns
from bench.load.roles import locust_stats
from bench.load.roles.request_events import RequestEvents

class Nobody(User):
    @task
    def nothing(self): pass

locust_stats.refine()
environment = Environment(user_classes=[Nobody])
environment.create_local_runner()
events = RequestEvents(environment)
silent = events.wanted
heard = []
environment.events.request.add_listener(lambda **request: heard.append(request["name"]))
zero_ns = monotonic_ns()
rng = np.random.default_rng(1)
kinds = [("intended_ns", "i8"), ("done_ns", "i8"), ("response_bytes", "u4"), ("variant", "u1"), ("outcome", "u1")]
kinds.append(("request_class", "u1"))
rows = np.zeros(3000, dtype=kinds)
rows["intended_ns"] = rng.integers(0, 2_000_000_000, 3000)
rows["done_ns"] = rows["intended_ns"] + (10 ** rng.uniform(5, 10.3, 3000)).astype(np.int64)
rows["response_bytes"] = rng.integers(0, 1000, 3000)
rows["variant"] = rng.integers(0, 2, 3000)
rows["outcome"] = rng.random(3000) < 0.1
names = {0: "/score [key]", 1: "/score [aml_token]"}
errors = {0: ValueError("a"), 1: ValueError("b")}
own = RequestStats()
for row in rows:
    name = names[int(row["variant"])]
    own.log_request("POST", name, (int(row["done_ns"]) - int(row["intended_ns"])) / 1e6, int(row["response_bytes"]))
    if row["outcome"]:
        own.log_error("POST", name, errors[int(row["variant"])])
        events.failed(name, errors[int(row["variant"])])
for start in range(0, 3000, 1024):
    by_class = {(code, 0): name for code, name in names.items()}
    events.fold(rows[start : start + 1024], names=by_class, ok=0, zero_ns=zero_ns)
events.fire(request_type="POST", name="one", response_time=1, response_length=1, exception=None, context={})

def seen(stats):
    entries = [stats.total, *(stats.entries[key] for key in sorted(stats.entries))]
    return {
        "entries": [
            [e.name, e.num_requests, e.num_failures, round(e.total_response_time, 3), round(e.min_response_time, 6),
             round(e.max_response_time, 6), e.total_content_length, sorted(map(list, e.response_times.items()))]
            for e in entries
        ],
        "errors": sorted([e.name, str(e.error), e.occurrences] for e in stats.errors.values()),
    }

total = environment.stats.total
span = sorted(total.num_reqs_per_sec)
print(json.dumps({
    "own": seen(own), "folded": seen(environment.stats), "silent": silent, "wanted": events.wanted, "heard": heard,
    "per_second": sum(total.num_reqs_per_sec.values()), "failed_per_second": sum(total.num_fail_per_sec.values()),
    "rate": total.total_rps, "cached": len(total.response_times_cache),
}))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """From a process of its own: Locust patches the one that imports it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_entries_are_those_that_locust_would_have_made(seen: dict[str, Any]) -> None:
    """Counts, failures, sums, extremes, sizes, errors; a time on the edge of two buckets may be in either."""
    for own, folded in zip(seen["own"]["entries"], seen["folded"]["entries"], strict=True):
        *numbers, buckets = own
        assert folded[:-1] == numbers
        theirs, ours = dict(map(tuple, buckets)), dict(map(tuple, folded[-1]))
        assert sum(theirs.values()) == sum(ours.values())
        assert sum(abs(theirs.get(key, 0) - ours.get(key, 0)) for key in {*theirs, *ours}) <= 20
    assert seen["folded"]["errors"] == seen["own"]["errors"]


def test_the_charts_have_their_seconds(seen: dict[str, Any]) -> None:
    """What the rate, the failures a second and the current percentiles are made from."""
    failures = seen["own"]["entries"][0][2]
    assert (seen["per_second"], seen["failed_per_second"]) == (3000, failures)
    assert seen["rate"] > 0
    assert seen["cached"] > 0


def test_the_event_is_for_others(seen: dict[str, Any]) -> None:
    """It is fired only when somebody beside Locust's own statistics listens, and then not for those."""
    assert not seen["silent"]
    assert seen["wanted"]
    assert seen["heard"] == ["one"]
    assert all(entry[0] != "one" for entry in seen["folded"]["entries"])

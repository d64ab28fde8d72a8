"""A rate that one core cannot hold, and the same run split over two workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.calibration.plain_server import plain_server
from tests.e2e.command import bench

LOCUSTFILE = """
from time import perf_counter

from locust import events

from bench.load.user import ScoringUser


class CheckingUser(ScoringUser):
    auth_modes = ("key",)


@events.request.add_listener
def check(**_):
    until = perf_counter() + 0.0001
    while perf_counter() < until:
        pass
"""
HOPELESS = 9000
"""A core that spends 0.1 ms on each answer, beside what the harness needs, holds about two thirds of it."""
MORE = 1.4
"""Times the rate that one core is said to hold: more than all of it, and a little more than half of each of two."""


@pytest.mark.quiet
def test_more_than_a_core_holds_is_invalid_and_trusted_on_two(tmp_path: Path) -> None:
    """One worker says which rate would hold, and holds that; two hold more. Needs two cores that nobody else uses."""
    locustfile = tmp_path / "checking.py"
    locustfile.write_text(LOCUSTFILE)
    with plain_server(None, tmp_path) as (uri, _):

        def trust(rate: float, processes: int) -> dict[str, Any]:
            done = bench(
                *("run", f"--scoring-uri={uri}", f"--locustfile={locustfile}", f"--processes={processes}"),
                *(f"--arrival-rate={rate:.0f}", "--users=100", "--duration=8s", "--warm-up=2s"),
                cwd=tmp_path,
                BENCH_KEY="x" * 64,
            )
            trust_facts: dict[str, Any] = json.loads((tmp_path / done.run / "summary.json").read_text())["trust"]
            assert done.code == (4 if trust_facts["verdict"] == "INVALID" else 0), done
            return trust_facts

        hopeless = trust(HOPELESS, 1)
        assert hopeless["verdict"] == "INVALID"
        assert any("would hold: lower --arrival-rate or raise --processes" in reason for reason in hopeless["reasons"])
        holds = hopeless["sustainable_rate"]
        one = trust(holds, 1)
        assert one["verdict"] != "INVALID", one["reasons"]
        assert trust(holds * MORE, 1)["verdict"] == "INVALID"
        two = trust(holds * MORE, 2)
        assert two["verdict"] == "TRUSTED", two["reasons"]

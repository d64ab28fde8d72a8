"""`--warm-up auto` beside a load that never settles is refused before anything is sent."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import UsageError
from bench.load.engine import request_source
from bench.load.roles import locust_options
from tests.load.engine.test_request_file import source


def options(**changes: Any) -> SimpleNamespace:
    plain = {"run_time": None, "duration": "60s", "stages": "", "warm_up": "auto", "headless": True}
    return SimpleNamespace(**{**plain, "spawn_rate": None, "num_users": 20, "arrival_rate": None, **changes})


def test_a_shape() -> None:
    with pytest.raises(UsageError, match="LoadTestShape"):
        locust_options._settle_end(options(), shape=object())
    locust_options._settle_end(options(warm_up="5s"), shape=object())


def test_a_spawn_rate() -> None:
    with pytest.raises(UsageError, match="spawn rate"):
        locust_options._settle_spawn_rate(options(spawn_rate=2.0))
    whole = options()
    locust_options._settle_spawn_rate(whole)
    assert whole.spawn_rate == 20.0


def test_a_trace(tmp_path: Path) -> None:
    plan, found = source(tmp_path, {"body": 1, "at_s": 0.0}, {"body": 2, "at_s": 50.0})
    with pytest.raises(UsageError, match="recorded arrivals"):
        request_source.complete(dataclasses.replace(plan, warm_up_auto=True), found)

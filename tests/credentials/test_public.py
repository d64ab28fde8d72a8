"""The room's public names, and what importing it brings along."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bench.credentials

HEAVY = ("azure", "gevent", "locust", "msal", "requests")


def brought_along(*modules: str) -> set[str]:
    """The heavy packages a fresh process has after importing `modules`."""
    program = f"import json, sys, {', '.join(modules)}\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    return set(json.loads(done.stdout))


def test_every_public_name_exists():
    """Those that are imported on first use too."""
    program = "import bench.credentials as room\nfor name in room.__all__: getattr(room, name)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_names_are_sorted():
    """Upper case first, as ruff sorts them."""
    assert bench.credentials.__all__ == sorted(bench.credentials.__all__, key=lambda name: (not name.isupper(), name))


def test_unknown_name_is_an_attribute_error():
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = bench.credentials.Nothing


def test_pure_and_plain_modules_bring_nothing_heavy():
    """The policy, the seal, the doctor and the plain client run where gevent and the SDK are not wanted."""
    names = ("policy", "moves", "lease", "backoff", "failure", "source", "flightlog", "agent.azure_clock", "relay.seal")
    edges = ("relay.messages", "agent.__main__", "agent.plain", "agent.process", "doctor")
    assert brought_along(*(f"bench.credentials.{name}" for name in names + edges)) == set()


def test_manager_brings_gevent_only():
    """Neither the SDK nor requests, which break a process that Locust patches later."""
    edges = ("manager", "agent.client", "relay.master", "relay.worker")
    assert brought_along(*(f"bench.credentials.{name}" for name in edges)) == {"gevent"}

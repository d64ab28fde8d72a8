"""Locust waits for its workers when it quits, also for one that was lost and that gevent has reaped."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.load.roles import locust_children


def test_a_worker_that_was_awaited_already_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust would ask for it for three seconds, with a traceback each time."""
    main = SimpleNamespace(os=os)
    monkeypatch.setitem(sys.modules, "locust.main", main)
    locust_children.outlive()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert main.os.waitpid(child.pid, os.WNOHANG) == (child.pid, 0)
    assert main.os.getpid() == os.getpid()


def test_that_is_how_locust_awaits_them() -> None:
    """Read, for an import would patch this process."""
    found = find_spec("locust")
    assert found is not None
    assert found.origin is not None
    assert "os.waitpid(child_pid, os.WNOHANG)" in Path(found.origin).with_name("main.py").read_text()


def test_without_a_locust_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "locust.main", raising=False)
    locust_children.outlive()
    assert "locust.main" not in sys.modules

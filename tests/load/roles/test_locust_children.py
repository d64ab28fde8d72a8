"""Locust waits for its workers when it quits, also for one that was lost and that gevent has reaped."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import locust.main
import pytest

from bench.load.roles import locust_children


def test_a_worker_that_was_awaited_already_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust would ask for it for three seconds, with a traceback each time."""
    assert "os.waitpid(child_pid, os.WNOHANG)" in inspect.getsource(locust.main)
    monkeypatch.setattr(locust.main, "os", os)
    locust_children.outlive()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert locust.main.os.waitpid(child.pid, os.WNOHANG) == (child.pid, 0)
    assert locust.main.os.getpid() == os.getpid()


def test_without_a_locust_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "locust.main", raising=False)
    locust_children.outlive()
    assert "locust.main" not in sys.modules

"""Whatever breaks in a greenlet, a timer or a hook reaches one place, and nothing else in the package starts any."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from bench.process import supervise

REPOSITORY = Path(__file__).parents[2]
STARTERS = {"spawn", "spawn_later", "spawn_raw", "Greenlet", "Pool", "Group", "ThreadPool"}


class Heard:
    """The failures that were reported, and waiting for one."""

    def __init__(self) -> None:
        self.failures: list[supervise.Failure] = []
        self._came = Event()

    def __call__(self, failure: supervise.Failure) -> None:
        self.failures.append(failure)
        self._came.set()

    def one(self) -> supervise.Failure:
        assert self._came.wait(60), "nothing was reported"
        (failure,) = self.failures
        return failure


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    supervise.report_to(heard)
    yield heard
    supervise.report_to(None)


def _break() -> None:
    raise ZeroDivisionError("that was it")


def test_a_greenlet_that_breaks_is_reported(heard: Heard) -> None:
    """With where it was, and its traceback; the greenlet itself ends quietly."""
    greenlet = supervise.start(_break, where="the ticker")
    failure = heard.one()
    assert (failure.where, str(failure.error)) == ("the ticker", "that was it")
    assert "in _break" in failure.traceback
    assert greenlet.get() is None


def test_one_that_begins_later_too_unless_it_was_killed(heard: Heard) -> None:
    """The reason for a timer may be gone before its time."""
    supervise.start_later(0, _break, where="killed").kill()
    supervise.start_later(0, _break, where="later")
    assert heard.one().where == "later"


def test_a_hook_goes_no_further(heard: Heard) -> None:
    """Locust would log it, and go on as if nothing had been."""
    with supervise.run("a hook"):
        _break()
    assert heard.one().where == "a hook"


def test_the_end_of_a_greenlet_is_no_failure(heard: Heard) -> None:
    """Killing one is how it is stopped."""
    greenlet = supervise.start(gevent.sleep, 1000, where="asleep")
    gevent.sleep(0)
    greenlet.kill()
    gevent.sleep(0)
    assert heard.failures == []


def test_without_a_listener_gevent_reports_it() -> None:
    """Outside Locust, as in a locustfile's own session."""
    supervise.report_to(None)
    with pytest.raises(ZeroDivisionError), supervise.run("a hook"):
        _break()


def test_the_hub_s_own_callbacks_are_watched(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks in a timer of this package ends the run; what breaks in a stranger's is gevent's to print."""
    printed: list[object] = []
    hub = gevent.get_hub()
    monkeypatch.setattr(hub, "handle_error", lambda _context, _kind, value, _trace: printed.append(value))
    supervise.watch_hub()
    supervise.watch_hub()
    hub.loop.run_callback(_break)
    gevent.sleep(0.01)
    assert (len(printed), heard.failures) == (1, [])
    monkeypatch.setattr(supervise, "_PACKAGE", str(Path(__file__).parent))
    hub.loop.run_callback(_break)
    assert heard.one().where == "the hub"
    assert len(printed) == 1


def test_nothing_else_in_the_package_starts_a_greenlet() -> None:
    """Neither by name, nor as a concurrent message of Locust's."""
    guilty = []
    for path in sorted((REPOSITORY / "bench").rglob("*.py")):
        if path.name == "supervise.py" or "emulator" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gevent"):
                guilty += [(path.name, node.lineno) for alias in node.names if alias.name in STARTERS]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "gevent" and node.func.attr in STARTERS:
                    guilty.append((path.name, node.lineno))
                if node.func.attr == "register_message" and (len(node.args) > 2 or node.keywords):
                    guilty.append((path.name, node.lineno))
    assert guilty == []

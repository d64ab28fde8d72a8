"""Does the harness notice when it holds itself up?"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.load.wire.hub_watch import HubWatch
from tests.load.engine.wiring import in_greenlet

BLOCK_NS = 60_000_000
"""Longer than a busy machine takes this process off its core."""


@pytest.fixture
def watch() -> Iterator[HubWatch]:
    made = HubWatch()
    yield made
    made.stop()


def block() -> None:
    """Hold the hub as a long computation would."""
    until_ns = monotonic_ns() + BLOCK_NS
    while monotonic_ns() < until_ns:
        pass


def in_a_callback() -> None:
    gevent.spawn(block).join()


def in_a_timer() -> None:
    gevent.spawn_later(0.002, block).join()


def at_once() -> None:
    block()


@pytest.mark.parametrize("where", [in_a_callback, in_a_timer, at_once])
def test_a_blocked_hub_is_a_stall(where: Callable[[], None], watch: HubWatch) -> None:
    """Whoever blocks it, and wherever in the loop; the stall says when and how long."""

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        watch.drain()
        began_ns = monotonic_ns()
        where()
        gevent.sleep(0.002)
        report = watch.drain()
        longest = max(report["stalls"], key=lambda stall: stall["ms"])
        assert longest["ms"] >= BLOCK_NS / 1e6
        assert began_ns - BLOCK_NS <= longest["at_ns"] <= monotonic_ns()
        assert longest["cause"] == "unknown"
        assert report["stall_max_ms"] == longest["ms"]
        assert report["busy_ms"] >= longest["ms"]

    in_greenlet(job)


def test_a_stall_names_who_was_blamed(watch: HubWatch) -> None:
    """And only that one: the blame is for one turn of the loop."""

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        watch.drain()
        watch.blame("flush")
        block()
        gevent.sleep(0.002)
        block()
        gevent.sleep(0.002)
        long_ones = [stall["cause"] for stall in watch.drain()["stalls"] if stall["ms"] >= BLOCK_NS / 1e6]
        assert long_ones == ["flush", "unknown"]

    in_greenlet(job)


def test_garbage_collection_is_a_cause(watch: HubWatch) -> None:
    """A collection that takes long enough to matter; its time is counted too."""
    rubbish = [[i] for i in range(150_000)]

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        watch.drain()
        gc.collect()
        gevent.sleep(0.002)
        report = watch.drain()
        assert report["gc_ms"] > 1
        assert max(report["stalls"], key=lambda stall: stall["ms"])["cause"] == "gc"

    in_greenlet(job)
    del rubbish


def test_what_was_before_the_start_is_no_stall(watch: HubWatch) -> None:
    """Building the run takes seconds, and nobody waits for an answer then."""

    def job() -> None:
        gevent.sleep(0.002)
        block()
        watch.start()
        gevent.sleep(0.002)
        assert all(stall["ms"] < BLOCK_NS / 1e6 for stall in watch.drain()["stalls"])

    in_greenlet(job)


def test_waiting_is_not_a_stall(watch: HubWatch) -> None:
    """A hub that sleeps in the kernel could have noticed an answer."""

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        watch.drain()
        gevent.sleep(0.2)
        assert watch.drain()["busy_ms"] < 100

    in_greenlet(job)


def test_each_look_starts_anew(watch: HubWatch) -> None:
    """What was reported is not reported again."""

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        block()
        gevent.sleep(0.002)
        assert watch.drain()["stalls"]
        again = watch.drain()
        assert (again["stalls"], again["stall_max_ms"], again["busy_ms"], again["gc_ms"]) == ([], 0, 0, 0)

    in_greenlet(job)


def test_the_time_of_the_poll_is_before_what_it_reported(watch: HubWatch) -> None:
    """Work done in the same turn does not move it."""
    seen: list[tuple[int, int, int]] = []

    def late() -> None:
        before_ns = watch.polled_ns
        block()
        seen.append((before_ns, watch.polled_ns, monotonic_ns()))

    def job() -> None:
        watch.start()
        gevent.sleep(0.002)
        gevent.spawn_later(0.002, late).join()
        before_ns, after_ns, end_ns = seen[0]
        assert before_ns == after_ns <= end_ns - BLOCK_NS
        gevent.sleep(0.001)
        assert watch.polled_ns > after_ns

    in_greenlet(job)


def test_stopped_it_leaves_nothing_behind(watch: HubWatch) -> None:
    """Not even in the garbage collector."""
    before = list(gc.callbacks)
    watch.start()
    assert len(gc.callbacks) == len(before) + 1
    watch.stop()
    assert gc.callbacks == before

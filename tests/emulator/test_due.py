"""The due queue and its timers: what is called back, when, and in which order."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import pytest

from bench.emulator.due import DueQueue
from bench.emulator.timerfd import LoopTimer, Timer, TimerFd, best_timer

TIMERS = [LoopTimer] if sys.platform != "linux" else [TimerFd, LoopTimer]
MS = 1_000_000


def run(make_timer: Callable[..., Timer], delays_ms: list[int], *, busy: bool = False) -> list[tuple[int, int, int]]:
    """Push work due after these delays; (delay, due, called back), in the order of the calls."""

    async def session() -> list[tuple[int, int, int]]:
        called: list[tuple[int, int, int]] = []
        done = asyncio.Event()

        def on_due(work: tuple[int, int]) -> None:
            called.append((*work, time.monotonic_ns()))
            if len(called) == len(delays_ms):
                done.set()

        queue = DueQueue(asyncio.get_running_loop(), on_due, busy=busy, make_timer=make_timer)
        zero_ns = time.monotonic_ns()
        for delay_ms in delays_ms:
            due_ns = zero_ns + delay_ms * MS
            queue.push(due_ns, (delay_ms, due_ns))
        await asyncio.wait_for(done.wait(), 10)
        queue.close()
        return called

    return asyncio.run(session())


@pytest.mark.parametrize("timer", TIMERS)
@pytest.mark.parametrize("busy", [False, True])
def test_work_is_called_back_in_order_and_never_early(timer: Callable[..., Timer], busy: bool):
    """Whatever the order of pushing, work comes in the order of its times, and none before its time."""
    called = run(timer, [30, 5, 50, 10, 5, 20], busy=busy)
    assert [delay for delay, _, _ in called] == [5, 5, 10, 20, 30, 50]
    assert all(at_ns >= due_ns for _, due_ns, at_ns in called)


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_linux_has_the_finer_timer():
    """There the timerfd is chosen: it can fire between two milliseconds, which the loop's timer cannot."""

    async def lateness_ns(make_timer: Callable[..., Timer]) -> int:
        fired = asyncio.Event()
        timer = make_timer(asyncio.get_running_loop(), fired.set)
        late = []
        for _ in range(60):
            due_ns = time.monotonic_ns() + 2_200_000
            timer.arm(due_ns)
            await fired.wait()
            late.append(time.monotonic_ns() - due_ns)
            timer.arm(0)
            fired.clear()
        timer.close()
        return sorted(late)[len(late) // 2]

    async def kind() -> str:
        timer = best_timer(asyncio.get_running_loop(), lambda: None)
        timer.close()
        return timer.kind

    assert asyncio.run(kind()) == "timerfd"
    assert asyncio.run(lateness_ns(TimerFd)) < asyncio.run(lateness_ns(LoopTimer))

"""A LoadTestShape whose time is the run's. Edge: Locust's greenlet of the shape, the shape of a locustfile.

Locust asks a shape from the moment that a test begins, while the target is still being found. Here it is asked for no
users until the run's clock starts; then its own time is 0, and it is asked what the author wrote. What breaks in it or
makes no sense ends the run as `failed`, and Locust hears nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import gevent
from gevent.event import Event

from bench.clock import monotonic_ns
from bench.errors import BenchError, UsageError
from bench.load.roles.shape_stages import ShapeStage, asked, folded
from bench.process import supervise


class Shapes:
    """Those of a locustfile; a web UI may have several to choose from."""

    def __init__(self, environment: Any, *, stop: type[Exception]) -> None:
        """`stop` is what ends a test when a shape raises it."""
        self._environment = environment
        authored = [environment.shape_class, *(environment.available_shape_classes or {}).values()]
        self._by_id = {
            key: Shape(one, user_classes=environment.user_classes, stop=stop)
            for key, one in {id(one): one for one in authored if one is not None}.items()
        }

    @property
    def chosen(self) -> Shape | None:
        """The one that the next run has."""
        return self._by_id.get(id(self._environment.shape_class))


class Shape:
    """The author's, asked in its place. Life of a run: `begin`, `start`, `rest`."""

    def __init__(
        self,
        authored: Any,
        *,
        user_classes: Collection[type],
        stop: type[Exception],
        failed: Callable[[str, Exception], Any] = supervise.failed,
    ) -> None:
        """From here on Locust asks this one."""
        self.name = type(authored).__name__
        self._authored = authored
        self._user_classes = user_classes
        self._stop = stop
        self._failed = failed
        self._ask = authored.tick
        self._held = 0
        authored.tick = self.tick
        self.begin()
        self.rest()

    def begin(self) -> None:
        """A run is being prepared."""
        self._began = True
        self._waits = False
        self._zero_ns = 0
        self._clock = Event()
        self.stages: list[ShapeStage] = []

    def rest(self) -> None:
        """The run is over; what it asked for is kept until the next."""
        self._began = False

    @property
    def waits(self) -> bool:
        """Whether it can be asked as soon as the clock starts."""
        return self._waits

    def start(self, zero_ns: int) -> None:
        """The run's clock starts at `zero_ns` of this host's monotonic clock, now or soon."""
        self._zero_ns = zero_ns
        self._clock.set()

    def as_json(self, *, end_s: float) -> dict[str, Any]:
        """What it asked for, for the manifest."""
        stages = [stage.as_json() for stage in folded(self.stages, end_s=end_s)]
        return {"name": self.name, "changes": len(self.stages), "stages": stages}

    def tick(self) -> Any:
        """In Locust's greenlet: what is wanted now. None at its end."""
        if not self._began:
            self._held += 1
            return 0, 1.0 + self._held % 2  # an answer that differs is tried again: no worker may have been there
        if not self._zero_ns:
            self._await_the_clock()
        try:
            answer = self._ask()
            self._note(answer)
        except self._stop:
            return None
        except UsageError as exc:
            self._give_up(BenchError(f"the LoadTestShape {self.name} {exc}", hint=exc.hint))
        except Exception as exc:  # noqa: BLE001 - whatever an author's code raises
            self._give_up(exc)
        return answer

    def _await_the_clock(self) -> None:
        self._waits = True
        self._clock.wait()
        gevent.sleep(max((self._zero_ns - monotonic_ns()) / 1e9, 0))
        self._authored.reset_time()

    def _note(self, answer: Any) -> None:
        if answer is None:
            if not self.stages:
                raise UsageError("ended at its first tick", hint="have tick() return (users, spawn_rate) at first")
            return
        users, spawn_rate = asked(answer, user_classes=self._user_classes)
        last = self.stages[-1] if self.stages else None
        if last is None or (last.most_users, last.spawn_rate) != (users, spawn_rate):
            from_s = (monotonic_ns() - self._zero_ns) / 1e9 if last else 0.0
            self.stages.append(ShapeStage(from_s=from_s, fewest_users=users, most_users=users, spawn_rate=spawn_rate))

    def _give_up(self, error: Exception) -> None:
        """The run ends, and takes this greenlet with it."""
        self._failed(f"the LoadTestShape {self.name}", error)
        Event().wait()

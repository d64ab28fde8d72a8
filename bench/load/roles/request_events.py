"""What Locust is given of our requests: its listeners each request, its statistics each batch. Edge.

Of the CPU of a saturated run 20 % went into `events.request`, nearly all of it into the listener by which Locust counts
requests. That listener is left to other users' requests; ours are added to Locust's entries from the recorder's rows,
and the event is fired only when somebody else listens too.

Locust is imported when it is needed: it patches the process that imports it, and a master can be tested without.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.clock import monotonic_ns
from bench.plan.request_plan import DEFAULT_METHOD

_OWN_LISTENER = "Runner.__init__.<locals>.on_request"
_NS = 1_000_000_000


class RequestEvents:
    """What one Locust process is given of our requests: its listeners each request, its statistics each batch."""

    def __init__(self, environment: Any) -> None:
        self.method = DEFAULT_METHOD
        self._environment = environment
        self._handlers: list[Callable[..., None]] = environment.events.request._handlers  # noqa: SLF001 - no other way
        self._own = next((one for one in self._handlers if getattr(one, "__qualname__", "") == _OWN_LISTENER), None)
        self._errors: Counter[tuple[str, BaseException]] = Counter()

    @property
    def wanted(self) -> bool:
        """Somebody beside Locust's own statistics listens: the web UI's plugins, a locustfile."""
        return len(self._handlers) > 1 or self._own is None

    def fire(self, **request: Any) -> None:
        """Tell them of one request, as Locust's event would."""
        from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

        for handler in list(self._handlers):
            if handler is self._own:
                continue
            try:
                handler(**request)
            except (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet):
                raise
            except Exception:
                logging.getLogger(__name__).exception("Uncaught exception in a listener of events.request")

    def failed(self, name: str, error: BaseException) -> None:
        """One request of the entry `name` failed; one error object a kind."""
        self._errors[(name, error)] += 1

    def fold(self, rows: Any, *, names: Mapping[tuple[int, int], str], ok: int, zero_ns: int) -> None:
        """Add recorder rows to Locust's entries.

        `names` are those of the variants' and classes' codes, `ok` is the outcome's.
        """
        if self._own is None:  # another Locust than we know: it counts what is fired
            return
        from locust.runners import WorkerRunner
        from locust.stats import StatsEntry, StatsError

        stats = self._environment.stats
        to_wall_ns = time.time_ns() - monotonic_ns() + zero_ns
        if not isinstance(self._environment.runner, WorkerRunner):  # there, each report to the master starts anew
            rows = rows[rows["done_ns"] + to_wall_ns >= int(stats.total.start_time * 1e9)]
        for (variant, request_class), name in names.items():
            of_it = (rows["variant"] == variant) & (rows["request_class"] == request_class)
            own = rows if of_it.all() else rows[of_it]
            if len(own):
                entry = _entry_of(own, own["outcome"] != ok, StatsEntry(stats, name, self.method), to_wall_ns)
                stats.entries[(name, self.method)].extend(entry)
                stats.total.extend(entry)
        errors, self._errors = self._errors, Counter()
        for (name, error), count in errors.items():
            key = StatsError.create_key(self.method, name, error)
            known = stats.errors.setdefault(key, StatsError(self.method, name, error))
            known.occurred()
            known.occurrences += count - 1


def _entry_of(rows: Any, failed: Any, entry: Any, to_wall_ns: int) -> Any:
    """`entry` filled with what Locust would hold of these requests, had each been reported to it."""
    done_ns = rows["done_ns"] + to_wall_ns
    times_ms = (rows["done_ns"] - rows["intended_ns"]) / 1e6
    entry.start_time = float(done_ns.min()) / 1e9
    entry.last_request_timestamp = float(done_ns.max()) / 1e9
    entry.num_requests = len(rows)
    entry.num_failures = int(failed.sum())
    entry.total_response_time = float(times_ms.sum())
    entry.min_response_time = float(times_ms.min())
    entry.max_response_time = float(times_ms.max())
    entry.total_content_length = int(rows["response_bytes"].sum())
    entry.response_times.update(_counts(_buckets(times_ms)))
    entry.num_reqs_per_sec.update(_counts(done_ns // _NS))
    if entry.num_failures:
        entry.num_fail_per_sec.update(_counts(done_ns[failed] // _NS))
    return entry


def _buckets(times_ms: Any) -> Any:
    """`bucket` of each."""
    found = np.round(times_ms, 1)
    for from_ms, digits in ((100, 0), (1000, -1), (10_000, -2)):
        longer = times_ms >= from_ms
        if not longer.any():
            break
        found[longer] = np.round(times_ms[longer], digits)
    return found


def _counts(values: Any) -> dict[Any, int]:
    found, counts = np.unique(values, return_counts=True)
    keys = [value if value < 100 else int(value) for value in found.tolist()]
    return dict(zip(keys, counts.tolist(), strict=True))

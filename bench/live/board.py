"""What a watcher is shown of the runs of one Locust: now, over time, what happened, and how it ended. Pure.

A point a second for the charts (an hour of them; then every second one is dropped), a log of what happened, and the
state as one plain value for the page. Nothing here is a secret: it is made of views and plans.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from bench import numbers
from bench.live.rolling import WINDOW_S, Figures, VariantFigures
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.plan.load_changes import load_at, load_name
from bench.plan.run_plan import RunPlan

MOST_POINTS = 1200
MOST_EVENTS = 200
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
_RECENT_POINTS, _BEGINNING_S = 10, 2.0
_SILENT_S = 3.0
"""A worker speaks once a second."""
_LAG_LIMITS_MS = (5.0, 20.0)
_CPU_LIMITS = (0.8, 0.95)
_ACHIEVED_LIMITS = (0.99, 0.95)
"""Where a light turns: doubtful, bad. Coarser than the verdict's own limits, which the report holds."""


class Board:
    """One Locust's; `begin` for each run, `tick` about once a second while it goes on, `end`."""

    def __init__(self) -> None:
        self.run_id = ""
        self.state = "ready"
        self.ending = ""
        self._points: deque[dict[str, Any]] = deque()
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._every_s = 1.0
        self._then: dict[str, dict[str, int]] = {}
        self._fetches: dict[str, Counter[str]] = {}
        self._longest_wait_ms: dict[str, float] = {}
        self._lost: set[str] = set()
        self._plan: RunPlan | None = None
        self._script: list[tuple[float, str]] = []

    @property
    def now_s(self) -> float:
        """When the last point was taken."""
        return float(self._points[-1]["at_s"]) if self._points else 0.0

    @property
    def recent_mean(self) -> Mapping[str, Any] | None:
        """The mean of the last ten points, for in one second of random arrivals a tenth more or fewer are due; without
        the beginning, when nothing can have been answered yet."""
        points = list(self._points)[-_RECENT_POINTS:]
        if not points:
            return None
        points = [point for point in points if point["at_s"] > _BEGINNING_S] or points
        answered = sum(variant["answered"] for point in points for variant in point["variants"].values())
        asked = sum(point["asked"] for point in points)
        return {"asked": asked / len(points), "variants": {"all": {"answered": answered / len(points)}}}

    def begin(self, run_id: str, plan: RunPlan) -> None:
        """A new run: the charts start anew, the log goes on."""
        self.run_id, self.state, self.ending, self._plan = run_id, "running", "", plan
        self._points.clear()
        self._every_s, self._then, self._fetches, self._longest_wait_ms, self._lost = 1.0, {}, {}, {}, set()
        self._script = []
        self.note(0.0, f"run {run_id} begins")

    def change(self, plan: RunPlan) -> None:
        """Somebody has changed the load, in the last of the plan's changes."""
        last, self._plan = load_at(plan), plan
        self.note(last.from_ns / 1e9, f"by hand: {load_name(last, with_users=True)}", mark="change")

    def expect(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """The run's scripted faults, as its manifest lists them: each is noted when its time has come."""
        for fault in faults:
            name = " ".join(str(fault[part]) for part in ("do", "answer") if fault.get(part))
            self._script.append((fault["from_s"], f"fault: {name}"))
            if fault.get("to_s") is not None:
                self._script.append((fault["to_s"], f"fault over: {name}"))
        self._script.sort()

    def note(self, at_s: float, text: str, *, mark: str = "") -> None:
        """Something happened. What has a `mark` (`refresh`, `fault`, `loss`, `change`) is shown in the charts."""
        self._events.append({"run": self.run_id, "at_s": round(at_s, 1), "text": text, "mark": mark})

    def flight(self, record: Mapping[str, Any], *, zero_ns: int = 0) -> None:
        """A credential fetch ended: a record of flights.jsonl, whose times count from `zero_ns`. It may be a worker's
        word, in which anything can be missing."""
        if self.state != "running":
            return
        variant, cause = str(record.get("variant")), str(record.get("cause"))
        ended_ns, waited_ms = _number(record, "ended_ns"), _number(record, "longest_wait_ns") / 1e6
        took_ms = (ended_ns - _number(record, "started_ns")) / 1e6
        self._fetches.setdefault(variant, Counter())[cause] += 1
        self._longest_wait_ms[variant] = max(self._longest_wait_ms.get(variant, 0.0), waited_ms)
        if record.get("outcome") == "ok":
            waiters = f", {_number(record, 'waiters'):.0f} waited for it up to {waited_ms:.0f} ms" if waited_ms else ""
            text, mark = f"refresh {record.get('generation')} ({cause}) took {took_ms:.0f} ms{waiters}", "refresh"
        else:
            text, mark = f"a fetch ({cause}) failed after {took_ms:.0f} ms: {record.get('error')}", "loss"
        self.note((ended_ns - zero_ns) / 1e9, f"{variant}: {text}", mark=mark)

    def tick(self, at_s: float, view: View, *, asked_rate: float) -> None:
        """Take a point if it is time for one."""
        while self._script and self._script[0][0] <= at_s:
            self.note(*self._script.pop(0), mark="fault")
        last_s = self._points[-1]["at_s"] if self._points else -self._every_s
        if at_s - last_s < self._every_s:
            return
        seconds = at_s - max(last_s, 0.0) or 1.0
        variants = {}
        for name, figures in view["variants"].items():
            totals = figures["whole"]["outcomes"]
            new = {kind: count - self._then.get(name, {}).get(kind, 0) for kind, count in totals.items()}
            self._then[name] = totals
            recent = Sketch(figures["recent"]["response_time"])
            variants[name] = {
                "answered": round(sum(new.values()) / seconds, 2),
                "failed": {kind: round(count / seconds, 2) for kind, count in new.items() if count and kind != "ok"},
                "p50": recent.quantile_ms(0.5),
                "p99": recent.quantile_ms(0.99),
                **_of_streams(figures),
            }
        for name, worker in view["workers"].items():
            if worker["lost"] and name not in self._lost:
                self._lost.add(name)
                self.note(at_s, f"worker {name} lost", mark="loss")
        self._points.append(
            {"at_s": round(at_s, 2), "asked": asked_rate, "lag_ms": view["lag_ms"], "variants": variants}
        )
        if len(self._points) >= MOST_POINTS:
            self._points = deque(list(self._points)[::2])
            self._every_s *= 2

    def end(self, at_s: float, ending: str) -> None:
        """The run is over; `ending` is one of the manifest's words."""
        if self.state == "running":
            self.state, self.ending = "ended", ending
            self.note(at_s, f"run {self.run_id} ended: {ending}")

    def as_json(self, view: View, *, since_s: float = -1.0) -> dict[str, Any]:
        """All of it; of the points those after `since_s`. `rows` are for people: numbers as the report prints them."""
        variants = {name: _shown(figures, self.now_s) for name, figures in view["variants"].items()}
        return {
            "state": self.state,
            "run_id": self.run_id,
            "ending": self.ending,
            "plan": _plan_of(self._plan),
            "lights": lights(view, self.recent_mean),
            "variants": variants,
            "rows": {
                "variants": [_variant_row(name, figures) for name, figures in variants.items()],
                "streams": [_stream_row(name, figures) for name, figures in variants.items() if _streams(figures)],
                "leases": [self._lease_row(lease) for lease in view["leases"]],
                "workers": [_worker_row(name, worker) for name, worker in view["workers"].items()],
            },
            "in_flight": view["in_flight"],
            "leases": view["leases"],
            "fetches": {
                name: {"by_cause": dict(causes), "longest_wait_ms": self._longest_wait_ms[name]}
                for name, causes in self._fetches.items()
            },
            "workers": view["workers"],
            "points": [point for point in self._points if point["at_s"] > since_s],
            "events": list(self._events),
        }

    def _lease_row(self, lease: Mapping[str, Any]) -> list[str]:
        times = [
            numbers.DASH if left_s is None else f"{numbers.count(max(left_s, 0))} s"
            for left_s in (lease["refresh_in_s"], lease["life_left_s"])
        ]
        known = [str(lease[name]) for name in ("variant", "auth_mode", "generation", "freshness")]
        causes = numbers.by_frequency(self._fetches.get(lease["variant"], {})) or "none yet"
        longest = numbers.milliseconds(self._longest_wait_ms.get(lease["variant"]))
        counted = [causes, numbers.count(lease["failures"]), longest, numbers.count(lease["waiters"])]
        return [*known, *times, *counted, str(lease["error"] or "")]


def lights(view: View, point: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Whether the figures could be believed if the run ended now: `ok`, `doubtful` or `bad`, and why."""
    found = [_light("schedule lag", view["lag_ms"], _LAG_LIMITS_MS, f"{view['lag_ms']:.1f} ms overdue")]
    if point is not None and point["asked"]:
        answered = sum(variant["answered"] for variant in point["variants"].values())
        share = answered / point["asked"]
        found.append(
            _light(
                "rate", -share, tuple(-limit for limit in _ACHIEVED_LIMITS), f"{answered:.0f} of {point['asked']:.0f}/s"
            )
        )
    for name, worker in view["workers"].items():
        found.append(_light(f"CPU of {name}", worker["cpu"], _CPU_LIMITS, f"{worker['cpu']:.0%} of a core"))
        if worker["lost"]:
            found.append({"name": name, "state": "bad", "text": "lost"})
        elif worker["silent_s"] > _SILENT_S:
            found.append({"name": name, "state": "doubtful", "text": f"silent for {worker['silent_s']:.0f} s"})
    return found


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    return value if isinstance(value, int | float) else 0


def _light(name: str, value: float, limits: tuple[float, ...], text: str) -> dict[str, str]:
    state = "bad" if value > limits[1] else "doubtful" if value > limits[0] else "ok"
    return {"name": name, "state": state, "text": text}


def _shown(figures: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    return {
        "recent": _block(figures["recent"], seconds=min(WINDOW_S, max(now_s, 1.0))),
        "whole": _block(figures["whole"], seconds=0),
        "replays": figures["replays"],
    }


def _block(figures: Figures, *, seconds: float) -> dict[str, Any]:
    requests = sum(figures["outcomes"].values())
    times = {
        metric: {name: sketch.quantile_ms(q) for name, q in _QUANTILES.items()}
        for metric, sketch in (
            ("response_time_ms", Sketch(figures["response_time"])),
            ("service_time_ms", Sketch(figures["service_time"])),
            ("time_to_first_token_ms", Sketch(figures["time_to_first_token"])),
            ("time_per_output_token_ms", Sketch(figures["time_per_output_token"])),
        )
    }
    tokens = figures["output_tokens"]
    rates = {"throughput": requests / seconds, "output_token_throughput": tokens / seconds} if seconds else {}
    return {"requests": requests, "outcomes": figures["outcomes"], "output_tokens": tokens, **times, **rates}


def _variant_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    recent, whole = figures["recent"], figures["whole"]
    failed = {kind: count for kind, count in whole["outcomes"].items() if kind != "ok"}
    times = [recent["response_time_ms"][quantile] for quantile in _QUANTILES]
    times += [recent["service_time_ms"]["p50"], recent["service_time_ms"]["p99"], whole["response_time_ms"]["p99"]]
    return [
        *(name, numbers.count(whole["requests"]), numbers.rate(recent["throughput"])),
        *map(numbers.milliseconds, times),
        *(numbers.count(figures["replays"]), numbers.by_frequency(failed) or "none"),
    ]


def _of_streams(figures: VariantFigures) -> dict[str, float | None]:
    """Of a point: first token and time per output token, where the variant streams."""
    if not figures["whole"]["time_to_first_token"]:
        return {}
    first, each = (Sketch(figures["recent"][name]) for name in ("time_to_first_token", "time_per_output_token"))
    quantiles = {"p50": 0.5, "p99": 0.99}
    return {
        f"{of}_{name}": times.quantile_ms(q)
        for of, times in (("first", first), ("each", each))
        for name, q in quantiles.items()
    }


def _streams(figures: Mapping[str, Any]) -> bool:
    return figures["whole"]["time_to_first_token_ms"]["p50"] is not None


def _stream_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    recent, whole = figures["recent"], figures["whole"]
    first, each = "time_to_first_token_ms", "time_per_output_token_ms"
    times = [recent[first]["p50"], recent[first]["p99"], whole[first]["p99"], recent[each]["p50"], recent[each]["p99"]]
    return [
        *(name, *map(numbers.milliseconds, times)),
        *(numbers.rate(recent["output_token_throughput"]), numbers.count(whole["output_tokens"])),
    ]


def _worker_row(name: str, worker: Mapping[str, Any]) -> list[str]:
    silent = f" (silent for {worker['silent_s']:.0f} s)" if worker["silent_s"] > _SILENT_S else ""
    state = " (lost)" if worker["lost"] else silent or (" (came late)" if worker["late"] else "")
    return [name + state, numbers.percent(worker["cpu"]), numbers.milliseconds(worker["lag_ms"])]


def _plan_of(plan: RunPlan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "variants": [
            {"name": one.name, "auth_mode": str(one.auth_mode), "uri": one.shown_uri} for one in plan.variants
        ],
        "arrival_rate": load_at(plan).arrival_rate,
        "users": load_at(plan).users,
        "warm_up_s": plan.warm_up_s,
        "duration_s": plan.duration_s,
        "target": plan.target,
    }

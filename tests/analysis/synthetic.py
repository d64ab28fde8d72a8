"""Runs that never happened, with known truth, as real files in the layout of `bench run`.

    run = write_run(tmp_path / "20260101-000000-000-beef", sides=(Side("key"), Side("aml_token", shift_ms=0.5)))
    load_run(run)

Used by the tests of analysis, report and gates. Latencies are `floor + exponential`, shared drift and
autocorrelated noise hit every side alike, and a side can add a shift, a heavier tail, refresh pauses and
auth failures of its own.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.endpoint import AuthMode
from bench.plan.run_plan import RunPlan, Stage, Variant
from bench.sample import COLUMNS, NO_TIME, Outcome, Phase
from tests.analysis.run_files import health_lines, write_jsonl, write_manifest, write_samples


@dataclass(frozen=True, slots=True)
class Side:
    """How one variant behaves. `name` may be `key#2`; the auth mode is the part before `#`.

    floor_ms, mean_ms   service time is floor + exponential(mean), plus what the run adds to all sides
    shift_ms            added to every service time
    tail                (share, factor): that share of the requests takes `factor` times as long
    refresh_every_s     a flight every so often (0: only the initial one)
    refresh_pause_ms    requests due within this time after a refresh began wait for its end (lease_wait)
    refresh_failures    how many of the refreshes fail
    auth_failures       cause -> share of the requests that end so
    outcomes            other outcome -> share of the requests that end so
    client_limits       cause of this host's own -> share of the requests that fail for it before they are sent
    tells_server_time   whether the server sends its own time (service time less 0.3 ms)
    deployments         the names traffic is split over evenly
    classes             (name, share, added ms) of the kinds of request; none: requests have no class
    """

    name: str
    floor_ms: float = 10.0
    mean_ms: float = 3.0
    shift_ms: float = 0.0
    tail: tuple[float, float] = (0.0, 1.0)
    refresh_every_s: float = 0.0
    refresh_pause_ms: float = 0.0
    refresh_failures: int = 0
    auth_failures: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, float] = field(default_factory=dict)
    client_limits: dict[str, float] = field(default_factory=dict)
    tells_server_time: bool = True
    deployments: tuple[str, ...] = ("blue",)
    classes: tuple[tuple[str, float, float], ...] = ()

    @property
    def auth_mode(self) -> str:
        return self.name.partition("#")[0]


TWO_SIDES = (Side("key"), Side("aml_token", shift_ms=0.5, refresh_every_s=8.0))


def write_run(
    path: Path,
    *,
    sides: tuple[Side, ...] = TWO_SIDES,
    rate: float = 400.0,
    duration_s: float = 30.0,
    warm_up_s: float = 2.0,
    seed: int = 1,
    users: int = 50,
    workers: int = 1,
    drift_ms: float = 0.0,
    noise_ms: float = 0.0,
    noise_time_s: float = 1.0,
    lag_ms: float = 0.03,
    busy: bool = False,
    closed: bool = False,
    stages: tuple[Stage, ...] = (),
    cpu: float = 0.35,
    stalls: tuple[tuple[float, float], ...] = (),
    unwritten: int = 0,
    dropped: int = 0,
    reason: str | None = "completed",
    health: bool = True,
    flights: bool = True,
    cut_off: int = 0,
    ways: tuple[dict[str, Any], ...] = (),
    held_back: tuple[dict[str, Any], ...] = (),
    trace_share: float | None = None,
) -> Path:
    """Write the folder `path` (its name becomes the run_id) and return it.

    rate         requests per second over all sides; the sides take turns in randomised order
    drift_ms     amplitude of a slow sine over the run, shared by all sides
    noise_ms     standard deviation of shared autocorrelated noise with correlation time `noise_time_s`
    lag_ms       mean of the exponential schedule lag; `busy` gives the run 4 % fewer users than its rate needs,
                 whatever `users` says: they are busy throughout, and requests begin later and later
    closed       closed model: intended = began, and the plan has no rate
    stalls       (at_s, ms) stalls of the first worker's hub
    reason       why the run ended; None for a killed run (no `ended`, no last health line)
    cut_off      bytes that are missing at the end of the first worker's sample file
    trace_share  share of the requests whose `traceparent` was marked as sampled; None: none was sent
    ways         what each worker's health lines say of its connections, every second; so with `held_back`
    """
    rng = np.random.default_rng(seed)
    total = round(rate * (warm_up_s + duration_s) / len(sides)) * len(sides)
    intended = np.arange(total) / rate
    side = rng.permuted(np.tile(np.arange(len(sides)), (total // len(sides), 1)), axis=1).ravel()
    shared = _shared_ms(rng, intended, drift_ms, noise_ms, noise_time_s)
    lag = rng.exponential(lag_ms, total)
    words: dict[str, Any] = {name: np.full(total, "", object) for name, kind in COLUMNS if kind == "word"}
    wait, service, server = np.zeros(total), np.zeros(total), np.full(total, float(NO_TIME))
    generation, status = np.ones(total, int), np.full(total, 200)
    records = []
    for i, one in enumerate(sides):
        at = np.flatnonzero(side == i)
        refreshes = np.arange(one.refresh_every_s, warm_up_s + duration_s, one.refresh_every_s or 1e9)
        refreshes = refreshes if one.refresh_every_s else np.empty(0)
        since, number = _since_refresh(intended[at], refreshes)
        wait[at] = 0.002 + np.maximum(0.0, one.refresh_pause_ms - since * 1e3)
        tail_share, factor = one.tail
        own = one.floor_ms + rng.exponential(one.mean_ms, len(at)) + one.shift_ms
        own *= np.where(rng.random(len(at)) < tail_share, factor, 1.0)
        if one.classes:
            kind = rng.choice(len(one.classes), len(at), p=[share for _, share, _ in one.classes])
            words["request_class"][at] = np.array([name for name, _, _ in one.classes], object)[kind]
            own += np.array([added_ms for _, _, added_ms in one.classes])[kind]
        service[at] = np.maximum(own + shared[at], 0.5)
        if one.tells_server_time:
            server[at] = service[at] - 0.3
        generation[at] = 1 + number
        words["variant"][at] = one.name
        words["deployment"][at] = np.array(one.deployments, object)[np.arange(len(at)) % len(one.deployments)]
        _fail(rng, one, at, words, status)
        records += _flights(one, refreshes)
    words["outcome"][words["outcome"] == ""] = Outcome.OK
    words["freshness"][:] = "fresh"
    words["request_class"][words["request_class"] == ""] = ""
    words["phase"][:] = np.where(intended < warm_up_s, Phase.WARM_UP, Phase.MEASURE)
    no_lease = words["cause"] == "no_lease"
    service[no_lease], server[no_lease], generation[no_lease], status[no_lease] = 0.0, NO_TIME, 0, 0
    if busy:
        users = max(1, int(0.96 * rate * service.mean() / 1e3))
        lag += _queue_ms(intended * 1e3, wait + service, users)
    intended_ns = _ns(intended * 1e3)
    began = intended_ns + (0 if closed else _ns(lag))
    sent = began + _ns(wait)
    done = sent + _ns(service)
    columns = {
        "intended_ns": began if closed else intended_ns,
        "began_ns": began,
        "sent_ns": sent,
        "first_byte_ns": np.where(no_lease, NO_TIME, done - 20_000 * ~no_lease),
        "done_ns": done,
        "connect_ns": np.where(np.arange(total) < users, 400_000, 0),
        "server_time_ns": np.where(server == NO_TIME, NO_TIME, _ns(server)),
        "sequence": np.arange(total),
        "response_bytes": np.full(total, 180),
        "generation": generation,
        "status": status,
        "attempt": np.zeros(total, int),
        "replays": np.zeros(total, int),
        **words,
    }
    names = [f"w{i}" for i in range(workers)]
    plan = RunPlan(
        target="emulator",
        variants=tuple(Variant(name=s.name, auth_mode=AuthMode(s.auth_mode), endpoint=f"ep-{s.name}") for s in sides),
        users=users,
        arrival_rate=None if closed or stages else rate,
        stages=stages,
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        seed=seed,
        processes=workers,
        trace_share=trace_share,
    )
    end_s = warm_up_s + duration_s
    ended = None if reason is None else {"at_ns": int(end_s * 1e9), "reason": reason}
    written = {name: len(range(i, total, workers)) for i, name in enumerate(names)}
    write_manifest(path, plan, written, flights=len(records) if flights else 0, ended=ended)
    order = np.argsort(done, kind="stable")
    for i, worker in enumerate(names):
        rows = order[i::workers]
        write_samples(
            path / "samples" / f"{worker}.arrows", worker, path.name, {k: v[rows] for k, v in columns.items()}
        )
        if health:
            lines = health_lines(
                end_s,
                cpu,
                users if busy else 3,
                200 if busy else 0,
                stalls if i == 0 else (),
                ways=ways,
                held_back=held_back,
            )
            last = {"end": True, "due": len(rows), "recorded": len(rows), "written": len(rows)}
            last |= {"unwritten": unwritten, "dropped_arrivals": dropped}
            write_jsonl(path / "health" / f"{worker}.jsonl", lines + ([last] if reason else []))
    if cut_off:
        first = path / "samples" / "w0.arrows"
        first.write_bytes(first.read_bytes()[:-cut_off])
    if flights:
        write_jsonl(path / "flights.jsonl", records)
    return path


def _queue_ms(due_ms: Any, takes_ms: Any, users: int) -> Any:
    """How long each request waits for one of `users` to be free, when they are served in order."""
    free = [0.0] * users
    waited = np.zeros(len(due_ms))
    for i, (due, takes) in enumerate(zip(due_ms.tolist(), takes_ms.tolist(), strict=True)):
        began = max(due, heapq.heappop(free))
        heapq.heappush(free, began + takes)
        waited[i] = began - due
    return waited


def _ns(ms: Any) -> Any:
    return np.rint(np.asarray(ms) * 1e6).astype(np.int64)


def _shared_ms(rng: Any, at_s: Any, drift_ms: float, noise_ms: float, time_s: float) -> Any:
    """Drift and Ornstein-Uhlenbeck noise at the times `at_s`, shared by all sides."""
    end = at_s[-1] + 1.0
    grid = np.arange(0.0, end, time_s / 10)
    kept = np.exp(-0.1)
    steps = rng.standard_normal(len(grid)) * noise_ms * np.sqrt(1 - kept**2)
    level = rng.standard_normal() * noise_ms
    for i, step in enumerate(steps):
        level = kept * level + step
        steps[i] = level
    return drift_ms * np.sin(2 * np.pi * at_s / end) + np.interp(at_s, grid, steps)


def _since_refresh(at_s: Any, refreshes: Any) -> tuple[Any, Any]:
    """Seconds since the last refresh (infinite before the first) and the number of refreshes so far."""
    number = np.searchsorted(refreshes, at_s, side="right")
    last = np.concatenate(([-np.inf], refreshes))[number]
    return at_s - last, number


def _fail(rng: Any, side: Side, at: Any, words: dict[str, Any], status: Any) -> None:
    draw, low = rng.random(len(at)), 0.0
    codes = {Outcome.THROTTLED: 429, Outcome.MODEL_ERROR: 424, Outcome.SERVER_ERROR: 503}
    for cause, share in side.auth_failures.items():
        hit = at[(draw >= low) & (draw < low + share)]
        words["outcome"][hit], words["cause"][hit], status[hit] = Outcome.AUTH_FAILURE, cause, 401
        low += share
    for outcome, share in side.outcomes.items():
        hit = at[(draw >= low) & (draw < low + share)]
        words["outcome"][hit], status[hit] = outcome, codes.get(Outcome(outcome), 0)
        low += share
    for cause, share in side.client_limits.items():
        hit = at[(draw >= low) & (draw < low + share)]
        words["outcome"][hit], words["cause"][hit], status[hit] = Outcome.TRANSPORT_ERROR, cause, 0
        low += share


def _flights(side: Side, refreshes: Any) -> list[dict[str, Any]]:
    records = []
    for generation, at_s in enumerate([0.0, *refreshes], start=1):
        failed = 0 < generation - 1 <= side.refresh_failures
        records.append(
            {
                "variant": side.name,
                "auth_mode": side.auth_mode,
                "cause": "initial" if generation == 1 else "expired" if side.refresh_pause_ms else "stale",
                "generation": generation,
                "started_ns": int(at_s * 1e9),
                "ended_ns": int((at_s + max(side.refresh_pause_ms, 30.0) / 1e3) * 1e9),
                "attempts": 1,
                "waiters": 4 if side.refresh_pause_ms and generation > 1 else 0,
                "longest_wait_ns": int(side.refresh_pause_ms * 1e6) if generation > 1 else 0,
                "outcome": "failed" if failed else "ok",
                "error": "ARM 503" if failed else "",
            }
        )
    return records

"""Locust's own options and features, brought in line with the run's before it starts. Edge: changes parsed options.

-t, --run-time      means --duration; both together are refused
-r, --spawn-rate    all users are spawned at once, unless it says otherwise: then the warm-up is that much longer
LoadTestShape       the closed model's; its end is the run's end
wait_time           the closed model's
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from bench.errors import UsageError
from bench.plan.run_plan import DEFAULT_DURATION_S, DEFAULT_WARM_UP_S, is_auto, parse_duration_s
from bench.process import handover

_WEB_SPAWN_RATE = 100.0


def settle(environment: Any, scoring: Sequence[Any], *, waits: Any) -> None:
    """Have every option mean one thing; `waits` is a user without a wait_time. UsageError for contradictions."""
    options = environment.parsed_options
    _settle_spawn_rate(options)
    shape = environment.shape_class
    open_model = bool(options.arrival_rate or options.stages or options.arrivals_from)
    refuse_shape(environment, open_model=open_model)
    for cls in scoring:
        if open_model and cls.wait_time is not waits.wait_time:
            raise UsageError(
                f"{cls.__name__} has a wait_time, and --arrival-rate, --stages or recorded arrivals say when"
                " a request is due",
                hint="leave one of them out",
            )
    _refuse_different_modes(scoring)
    _settle_end(options, shape)


def refuse_shape(environment: Any, *, open_model: bool) -> None:
    """UsageError where both a LoadTestShape and a rate say how much load there is. A request file's times are one."""
    if open_model and environment.shape_class is not None:
        raise UsageError(
            f"the LoadTestShape {type(environment.shape_class).__name__} sets users, and --arrival-rate, --stages or"
            " recorded arrivals say when a request is due",
            hint="leave one of them out",
        )


def _settle_end(options: Any, shape: Any) -> None:
    run_time, options.run_time = options.run_time, None
    handed = handover.taken()
    given = bool(getattr(options, "duration_given", False)) or (
        handed is not None and options.duration != f"{DEFAULT_DURATION_S:g}s"
    )
    if run_time and handed is not None:
        sys.stderr.write("note: the locustfile's run_time is ignored: --duration says how long a run is\n")
    elif run_time:
        if given or options.stages:
            raise UsageError("-t (--run-time) and --duration or --stages exclude each other", hint="leave out -t")
        options.duration, given = f"{run_time}s", True
    if shape is not None:
        if is_auto(options.warm_up):
            raise UsageError("--warm-up auto is for one rate, and a LoadTestShape changes it", hint="give it a time")
        if given:
            raise UsageError(
                f"the LoadTestShape {type(shape).__name__} ends the run, and --duration would too",
                hint="leave --duration out",
            )
        options.duration = "0"


def _settle_spawn_rate(options: Any) -> None:
    if options.spawn_rate is None:
        options.spawn_rate = float(options.num_users) if options.headless else _WEB_SPAWN_RATE
        logging.getLogger("locust.runners").addFilter(lambda record: "spawn rate is" not in record.getMessage())
    elif options.headless and 0 < options.spawn_rate < options.num_users and not options.arrival_rate:
        if is_auto(options.warm_up):
            raise UsageError("--warm-up auto and a spawn rate exclude each other", hint="give --warm-up a time")
        warm_up_s = parse_duration_s(str(options.warm_up or DEFAULT_WARM_UP_S), option="--warm-up")
        options.warm_up = f"{warm_up_s + options.num_users / options.spawn_rate:g}s"


def _refuse_different_modes(scoring: Sequence[Any]) -> None:
    """A run has one set of variants. Classes that only differ in their tasks or weights share it."""
    first, *others = scoring
    for cls in others:
        if tuple(cls.auth_modes) != tuple(first.auth_modes):
            modes = tuple(dict.fromkeys((*first.auth_modes, *cls.auth_modes)))
            raise UsageError(
                f"{first.__name__} measures {', '.join(first.auth_modes)} and {cls.__name__}"
                f" {', '.join(cls.auth_modes)}: the users of a run share its variants",
                hint=f"write one class with auth_modes = {modes!r}",
            )


def others_failed(environment: Any, variants: Iterable[str]) -> bool:
    """Whether a request of somebody else's user failed, or a task raised: exit code 1, as Locust alone has it.

    What this package sends carries its variant's name in brackets; gates judge its failures.
    """
    ours = tuple(f"[{name}]" for name in variants)
    runner = environment.runner
    return bool(runner.exceptions) or any(not error.name.endswith(ours) for error in runner.errors.values())

"""A step in load: how long until throughput and p99 are back within bounds, and what it costs until then.

examples:
  bench scale --endpoint my-endpoint --step 50..200 --at 1m --hold 10m
  bench scale --emulator --step 50..200 --at 10s --hold 30s --within 250ms

The answer to "is autoscaling fast enough?": the load goes from one rate to the other at once and stays there. The exit
code is 0 when the load was taken, 11 when it was not within --hold.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

from bench.arguments import add_options, add_settings_arguments
from bench.errors import GateInconclusive, RunInvalid, UsageError, first_of, unwritable
from bench.launch.run import locustfile_for, run_locust
from bench.plain_text import write_line
from bench.plan.options import LOAD_OPTIONS, MOST_PER_S, TARGET_OPTIONS, Option
from bench.plan.reading import plan_of, within
from bench.plan.run_plan import parse_duration_s
from bench.plan.variants import sides_of
from bench.rundir import RunDir, write_bytes, write_json
from bench.target.spec import kind_of

_STEP = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)")
_LEAST_S = 5.0


def _options() -> list[Option]:
    left_out = {"arrival-rate", "stages", "duration", "warm-up"}
    return [option for option in TARGET_OPTIONS + LOAD_OPTIONS if option.name not in left_out]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, _options(), title="target and load")
    add_settings_arguments(parser)
    parser.add_argument("--step", metavar="A..B", required=True, help="from A to B requests a second")
    parser.add_argument("--at", metavar="TIME", default="1m", help="how long the first rate is held")
    parser.add_argument("--hold", metavar="TIME", default="5m", help="how long the second rate is held")
    parser.add_argument(
        "--within", metavar="TIME", default="", help="p99 of response time that counts as back (1.5 times that before)"
    )
    parser.add_argument("--out", metavar="DIR", default="results", help="folder that gets the run's folder")


def run(arguments: argparse.Namespace) -> int:
    low, high, at_s, hold_s, bound_ms = _read(arguments)
    values = {
        **vars(arguments),
        "stages": f"{at_s:g}s@{low:g},{hold_s:g}s@{high:g}",
        "warm_up": "0",
        "auth_mode": arguments.auth_mode or "key",
    }
    kind_of(values)
    plan_of(values, target="", variants=(), payload_sha256="")
    sides = sides_of(values, default_modes=())
    if len(sides.auth_modes) != 1:
        raise UsageError("bench scale measures one variant", hint="one --auth-mode, one endpoint")
    folder, code = run_locust(locustfile_for(sides.auth_modes[0].value), values)
    if folder is None or code not in (0, RunInvalid.exit_code):
        return code or RunInvalid.exit_code
    return first_of(code, _conclude(folder, low=low, high=high, at_s=at_s, hold_s=hold_s, bound_ms=bound_ms))


def _read(arguments: argparse.Namespace) -> tuple[float, float, float, float, float | None]:
    """UsageError for a step, a time or a bound that tells nothing."""
    found = _STEP.fullmatch(arguments.step)
    if not found:
        raise UsageError(f"--step {arguments.step!r} is no step", hint="write 50..200")
    low, high = (float(rate) for rate in found.groups())
    for rate in (low, high):
        within(rate, "step", least=1, most=MOST_PER_S)
    if low == high:
        raise UsageError(f"--step {arguments.step} is none: both rates are the same")
    at_s, hold_s = (parse_duration_s(getattr(arguments, name), option=f"--{name}") for name in ("at", "hold"))
    for name, seconds in (("at", at_s), ("hold", hold_s)):
        within(seconds, name, least=_LEAST_S, most=86_400)
    bound_ms = parse_duration_s(arguments.within, option="--within") * 1000 if arguments.within else None
    if bound_ms is not None and bound_ms <= 0:
        raise UsageError("--within must be above 0", hint="write 250ms")
    return low, high, at_s, hold_s, bound_ms


def _conclude(folder: RunDir, *, low: float, high: float, at_s: float, hold_s: float, bound_ms: float | None) -> int:
    from bench.capacity import step
    from bench.capacity.draw_step import step_plot
    from bench.gates.arguments import Gates
    from bench.launch.finish import finish
    from bench.runreader import load_run

    if (code := finish(folder, gates=Gates())) != 0:
        return code  # nothing is concluded from a run that is INVALID or cut short
    try:
        found = step.windows(load_run(folder.path), step_s=at_s, rate=high)
        recovery = step.recovery(found, bound_ms=bound_ms)
    except ValueError as exc:
        raise RunInvalid(f"{exc} in {folder.path}", hint="give --at and --hold more time") from exc
    said = step.sentence(recovery, low=low, high=high, hold_s=hold_s)
    picture = Path(folder.plots) / "scale.png"
    try:
        write_json(folder.path / "scale.json", _as_json(recovery, low=low, high=high, at_s=at_s, hold_s=hold_s))
        write_bytes(picture, step_plot(found, recovery, said=said).png)
    except OSError as exc:
        raise unwritable(f"cannot write to {folder.path}", exc, hint="choose another folder with --out") from exc
    for line in (said, f"plot: {picture}"):
        write_line(sys.stdout, line)
    return GateInconclusive.exit_code if recovery.after_s is None else 0


def _as_json(recovery: Any, **asked: float) -> dict[str, Any]:
    return {"schema_version": 1, "asked": asked, **dataclasses.asdict(recovery)}

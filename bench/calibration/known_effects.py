"""Comparisons and gates on the real thing where the answer is known. Edge: starts emulators and runs.

aa         the same auth mode against itself: BETTER or WORSE would be a false alarm
overhead   the emulator adds a known delay to token validation: the interval must hold it
flapping   one unchanged target, a gate 10 % above its p99: FAIL would be a false alarm; also beside another load
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.calibration.bench_run import bench, emulator_on, endpoint_words
from bench.calibration.coming_load import load_that_comes_and_goes
from bench.gates.evaluate import judge
from bench.gates.expression import parse

Row = dict[str, Any]

_LOAD = ("--arrival-rate=500", "--users=100", "--warm-up=1s")
_HEADROOM = 1.1


def aa(*, runs: int, seconds: float) -> Iterator[Row]:
    """Runs of key against key: every verdict but EQUIVALENT and INCONCLUSIVE is false."""
    for number in range(runs):
        summary = _compared("key,key", seconds=seconds, delay_ms=0.0, seed=number)
        found = summary["comparison"]["response_time_ms"]
        verdicts = {name: each["verdict"] for name, each in found.items()}
        yield {
            "load": f"key against key, run {number + 1}",
            "p50 ms": found["p50"]["estimate"],
            "p50 low": found["p50"]["low"],
            "p50 high": found["p50"]["high"],
            **{name: verdicts[name] for name in ("p50", "p90", "p95", "p99", "mean") if name in verdicts},
            "false alarms": sum(verdict in {"BETTER", "WORSE"} for verdict in verdicts.values()),
            "trust": summary["trust"]["verdict"],
        }


def overhead(*, runs: int, seconds: float) -> Iterator[Row]:
    """Runs of key against aml_token with 0.3 and 1 ms added to token validation."""
    for delay_ms in (0.3, 1.0):
        for number in range(runs):
            summary = _compared("key,aml_token", seconds=seconds, delay_ms=delay_ms, seed=number)
            found = summary["comparison"]["response_time_ms"]
            yield {
                "load": f"{delay_ms:g} ms added, run {number + 1}",
                **{
                    f"{name} {part}": found[name][part]
                    for name in ("p50", "mean")
                    for part in ("estimate", "low", "high", "verdict")
                },
                "p50 holds it": _holds(found["p50"], delay_ms),
                "mean holds it": _holds(found["mean"], delay_ms),
                "trust": summary["trust"]["verdict"],
            }


def beside_load(*, runs: int, seconds: float) -> Iterator[Row]:
    """The same beside another load that comes and goes: a shared machine may make a run INVALID, and never a FAIL."""
    with load_that_comes_and_goes():
        yield from flapping(runs=runs, seconds=seconds)


def flapping(*, runs: int, seconds: float) -> Iterator[Row]:
    """One target all the time; the first run's p99 plus 10 % is the threshold of all others."""
    with tempfile.TemporaryDirectory(prefix="bench-known-") as name:
        folder = Path(name)
        with emulator_on(None, "", folder / "truth") as facts:
            gate = None
            for number in range(runs + 1):
                words = [*endpoint_words(facts, "key"), *_LOAD, f"--duration={seconds:g}s", f"--seed={number}"]
                _, summary = bench(words, core=None, environment=facts["env"], cwd=folder / str(number))
                if gate is None:
                    p99 = summary["variants"]["key"]["response_time_ms"]["p99"]
                    gate = parse(f"response_time.p99 < {p99 * _HEADROOM:.3f}ms")
                    continue
                result = judge(gate, summary)
                low, high = result.interval or (None, None)
                yield {
                    "load": f"{gate}, run {number}",
                    "p99 ms": result.measured,
                    "low": low,
                    "high": high,
                    "verdict": str(result.verdict),
                    "trust": summary["trust"]["verdict"],
                }


def _compared(modes: str, *, seconds: float, delay_ms: float, seed: int) -> dict[str, Any]:
    delay = f" --token-validation-delay {delay_ms}ms" if delay_ms else ""
    with tempfile.TemporaryDirectory(prefix="bench-known-") as folder:
        words = ["--emulator", f"--emulator-options=--seed {seed + 1}{delay}", f"--auth-mode={modes}", f"--seed={seed}"]
        return bench(
            [*words, *_LOAD, f"--duration={seconds:g}s"], core=None, environment={}, cwd=Path(folder), command="compare"
        )[1]


def _holds(estimate: dict[str, Any], truth_ms: float) -> str:
    if estimate["low"] is None:
        return "untold"
    return "yes" if estimate["low"] <= truth_ms <= estimate["high"] else "no"

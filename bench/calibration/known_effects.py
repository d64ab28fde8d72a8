"""Comparisons and gates on the real thing where the answer is known. Edge: starts emulators and runs.

aa         the same auth mode against itself: BETTER or WORSE would be a false alarm
overhead   the emulator adds a known delay to token validation: the interval must hold it; also that of the first token
           of streamed answers
flapping   one unchanged target, a gate 10 % above its p99: FAIL would be a false alarm; also beside another load
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.calibration.bench_run import bench, emulator_on, endpoint_words
from bench.calibration.coming_load import load_that_comes_and_goes
from bench.gates.evaluate import judge
from bench.gates.expression import parse

Row = dict[str, Any]

_LOAD = ("--arrival-rate=500", "--users=100", "--warm-up=1s")
_CHATS = ("--arrival-rate=400", "--users=300", "--warm-up=2s", "--path=/v1/chat/completions")
_CHAT = {"messages": [{"role": "user", "content": "What does a token cost?"}], "max_tokens": 8}
_STEADY_FIRST_TOKENS = "--first-token-exponential 5ms"
"""50 ms and an exponential of 5 ms: 1 ms takes a tenth of the answers that it takes with the emulator's usual 20 ms."""
_DELAYS_MS = (0.3, 1.0)
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
    for delay_ms in _DELAYS_MS:
        for number in range(runs):
            summary = _compared("key,aml_token", seconds=seconds, delay_ms=delay_ms, seed=number)
            yield _held(summary, "response_time", delay_ms, number)


def overhead_of_streams(*, runs: int, seconds: float) -> Iterator[Row]:
    """Runs of key against aad_token on chats, the same added before the first token."""
    with tempfile.TemporaryDirectory(prefix="bench-known-") as folder:
        chat = Path(folder) / "chat.jsonl"
        chat.write_text(json.dumps(_CHAT) + "\n", encoding="utf-8")
        load = (*_CHATS, f"--chat={chat}")
        for delay_ms in _DELAYS_MS:
            for number in range(runs):
                summary = _compared(
                    "key,aad_token",
                    seconds=seconds,
                    delay_ms=delay_ms,
                    seed=number,
                    load=load,
                    options=_STEADY_FIRST_TOKENS,
                )
                gap = summary["comparison"]["inter_token_latency_ms"]["p50"]
                yield _held(summary, "time_to_first_token", delay_ms, number) | {"gap p50 verdict": gap["verdict"]}


def _held(summary: dict[str, Any], metric: str, delay_ms: float, number: int) -> Row:
    """What a run said of a delay that is known."""
    found = summary["comparison"][f"{metric}_ms"]
    return {
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


def _compared(
    modes: str, *, seconds: float, delay_ms: float, seed: int, load: Sequence[str] = _LOAD, options: str = ""
) -> dict[str, Any]:
    delay = f"--token-validation-delay {delay_ms}ms" if delay_ms else ""
    emulator = f"--emulator-options=--seed {seed + 1} {delay} {options}".rstrip()
    words = ["--emulator", emulator, f"--auth-mode={modes}", f"--seed={seed}", *load, f"--duration={seconds:g}s"]
    with tempfile.TemporaryDirectory(prefix="bench-known-") as folder:
        return bench(words, core=None, environment={}, cwd=Path(folder), command="compare")[1]


def _holds(estimate: dict[str, Any], truth_ms: float) -> str:
    if estimate["low"] is None:
        return "no interval"
    return "yes" if estimate["low"] <= truth_ms <= estimate["high"] else "no"

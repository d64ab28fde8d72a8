"""What `bench calibrate` runs, one row of its table each. Edge: starts emulators and runs; called by the command."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.calibration.bench_run import (
    LIVES,
    Cores,
    bench,
    cpu_us_per_request,
    emulator_on,
    endpoint_words,
    errors_of,
)

Row = dict[str, Any]

_STALL = {"faults": [{"at": 0, "do": "stall", "every": "5s", "lasts": "500ms"}]}
_WARM_UP_S = 2


def rates(asked: list[int], *, seconds: float, cores: Cores, tls: bool) -> Iterator[Row]:
    """The harness at rising arrival rates, with an aml_token that is renewed every 3 s."""
    for rate in asked:
        yield _one(
            f"{rate}/s{' TLS' if tls else ''}",
            [f"--arrival-rate={rate}", "--arrivals=poisson", "--users=400"],
            seconds=seconds,
            cores=cores,
            emulator=f"{LIVES}{' --tls' if tls else ''}",
        )


def stalls(*, seconds: float, cores: Cores) -> Iterator[Row]:
    """A target that stands still for 0.5 s in every 5 s, with enough users and with too few."""
    with tempfile.TemporaryDirectory(prefix="bench-stall-") as folder:
        script = Path(folder) / "stall.json"
        script.write_text(json.dumps(_STALL), encoding="utf-8")
        for users, word in ((800, "enough users"), (50, "too few users")):
            yield _one(
                f"1000/s stalling, {word}",
                ["--arrival-rate=1000", f"--users={users}"],
                seconds=seconds,
                cores=cores,
                emulator=f"{LIVES} --faults {script}",
            )


def workers(counts: list[int], *, seconds: float, cores: Cores) -> Iterator[Row]:
    """The same load on more workers, all on one core: what a request costs must not change."""
    for count in counts:
        yield _one(
            f"2000/s, {count} worker{'s' if count > 1 else ''}",
            ["--arrival-rate=2000", "--users=400", *([f"--processes={count}"] if count > 1 else [])],
            seconds=seconds,
            cores=cores,
            emulator=LIVES,
        )


def _one(name: str, words: list[str], *, seconds: float, cores: Cores, emulator: str) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
        truth_file = Path(folder) / "truth"
        with emulator_on(cores.server, emulator, truth_file) as facts:
            run, summary = bench(
                [*endpoint_words(facts, "aml_token"), *words, f"--duration={seconds:g}s", f"--warm-up={_WARM_UP_S}s"],
                core=cores.client,
                environment=facts["env"],
                cwd=Path(folder) / "results",
            )
        errors = errors_of(run, truth_file)  # after the emulator has ended and written its last records
        block, trust = summary["variants"]["aml_token"], summary["trust"]
        return {
            "load": name,
            "achieved /s": float(trust["achieved_rate"] or block["throughput"]),
            "requests": errors.matched,
            **{f"service error {q} ms": errors.service[q] for q in ("p50", "p99", "p99.9")},
            **{f"true response {q} ms": errors.true_response[q] for q in ("p50", "p95", "p99")},
            **{f"response error {q} ms": errors.response[q] for q in ("p50", "p95", "p99")},
            "lag p50 ms": block["schedule_lag_ms"]["p50"],
            "lag p99 ms": block["schedule_lag_ms"]["p99"],
            "CPU us/request": cpu_us_per_request(run),
            "refreshes": block["refreshes"]["count"],
            "trust": trust["verdict"],
            "reasons": trust["reasons"],
        }

"""What `bench calibrate` runs, one row of its table each. Edge: starts emulators and runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.calibration import goals
from bench.calibration.bench_run import (
    LIVES,
    Setting,
    bench,
    cpu_us_per_request,
    emulator_on,
    endpoint_words,
    errors_of,
)
from bench.calibration.other_load import quietest

Row = dict[str, Any]

_STALL = {"faults": [{"at": 0, "do": "stall", "every": "5s", "lasts": "500ms"}]}
_WARM_UP_S = 2
_EACH_WORKER = 1000


def rates(asked: list[int], setting: Setting, *, tls: bool) -> Iterator[Row]:
    """The harness at rising arrival rates, with an aml_token that is renewed every 3 s."""
    for rate in asked:
        row = _quietest(
            f"{rate}/s{' TLS' if tls else ''}",
            [f"--arrival-rate={rate}", "--arrivals=poisson", "--users=400"],
            setting,
            emulator=f"{LIVES}{' --tls --busy-poll' if tls else ''}",
        )
        yield {**row, "goals": goals.of_rate(row)}


def stalls(setting: Setting) -> Iterator[Row]:
    """A target that stands still for 0.5 s in every 5 s, with enough users and with too few."""
    with tempfile.TemporaryDirectory(prefix="bench-stall-") as folder:
        script = Path(folder) / "stall.json"
        script.write_text(json.dumps(_STALL), encoding="utf-8")
        for users, word in ((800, "enough users"), (50, "too few users")):
            row = _quietest(
                f"1000/s stalling, {word}",
                ["--arrival-rate=1000", f"--users={users}"],
                setting,
                emulator=f"{LIVES} --faults {script}",
            )
            yield {**row, "goals": goals.of_stall(row)}


def workers(counts: list[int], setting: Setting) -> Iterator[Row]:
    """The same load for each of more workers, all on one core: what a request costs must not change.

    A request costs more in a process that has few of them (500/s: twice what it costs at 4,000/s), because the core
    falls asleep and the caches grow cold in between; so the rate of each worker is kept, not the sum.
    """
    one: Row | None = None
    for count in counts:
        row = _quietest(
            f"{count} worker{'s' if count > 1 else ''}, {_EACH_WORKER}/s each",
            [f"--arrival-rate={_EACH_WORKER * count}", "--users=400", f"--processes={count}"],
            setting,
            emulator=LIVES,
        )
        one = one or row
        yield {**row, "goals": goals.of_workers(row, one)}


def _quietest(name: str, words: list[str], setting: Setting, *, emulator: str) -> Row:
    row = quietest(lambda: _one(name, words, setting, emulator=emulator), repeat=setting.repeat)
    assert row is not None  # noqa: S101 - a run that comes to nothing raises
    return row


def _one(name: str, words: list[str], setting: Setting, *, emulator: str) -> Row:
    timing = (f"--duration={setting.seconds:g}s", f"--warm-up={_WARM_UP_S}s")
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
        truth_file = Path(folder) / "truth"
        with emulator_on(setting.cores.server, emulator, truth_file) as facts:
            run, summary = bench(
                [*endpoint_words(facts, "aml_token"), *words, *timing],
                core=setting.cores.client,
                environment=facts["env"],
                cwd=Path(folder) / "results",
            )
        errors = errors_of(run, truth_file)  # after the emulator has ended and written its last records
        block, trust = summary["variants"]["aml_token"], summary["trust"]
        return {
            "load": name,
            "asked /s": float(trust["asked_rate"]),
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

"""A mix of small and large requests against their true times, class by class. Edge; for `bench calibrate --classes`.

Both classes have the same model behind them, so that what differs is what the harness and the wire make of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.calibration import goals
from bench.calibration.bench_run import LIVES, Setting, bench, emulator_on, endpoint_words, errors_of

Row = dict[str, Any]

_WARM_UP_S = 2
MIX = {"small": (3, 4), "large": (1, 2_000)}
"""By class: how often it is sent, and how many numbers its body has."""


def classes(asked: list[int], setting: Setting) -> Iterator[Row]:
    """A row for each class at each rate; the run of `setting.repeat` with the least lag at p99 is kept."""
    for rate in asked:
        runs = [_one(rate, setting) for _ in range(setting.repeat)]
        yield from min(runs, key=lambda rows: rows[0]["lag p99 ms"])


def _one(rate: int, setting: Setting) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
        truth_file, requests = Path(folder) / "truth", Path(folder) / "mix.jsonl"
        requests.write_text("".join(map(_line, MIX)), encoding="utf-8")
        with emulator_on(setting.cores.server, LIVES, truth_file) as facts:
            words = [f"--arrival-rate={rate}", "--arrivals=poisson", "--users=400", f"--requests={requests}"]
            timing = [f"--duration={setting.seconds:g}s", f"--warm-up={_WARM_UP_S}s"]
            run, summary = bench(
                [*endpoint_words(facts, "aml_token"), *words, *timing],
                core=setting.cores.client,
                environment=facts["env"],
                cwd=Path(folder) / "results",
            )
        block, trust = summary["variants"]["aml_token"], summary["trust"]
        rows = []
        for name in MIX:
            errors, own = errors_of(run, truth_file, request_class=name), block["classes"][name]
            row = {
                "load": f"{rate}/s, {name}",
                "requests": errors.matched,
                "share": own["requests"] / block["requests"],
                **{f"service error {q} ms": errors.service[q] for q in ("p50", "p99", "p99.9")},
                **{f"true response {q} ms": errors.true_response[q] for q in ("p50", "p99")},
                **{f"response error {q} ms": errors.response[q] for q in ("p50", "p99")},
                "lag p50 ms": block["schedule_lag_ms"]["p50"],
                "lag p99 ms": block["schedule_lag_ms"]["p99"],
                "trust": trust["verdict"],
                "reasons": trust["reasons"],
            }
            rows.append({**row, "goals": goals.of_rate(row)})
        return rows


def _line(name: str) -> str:
    weight, numbers = MIX[name]
    return json.dumps({"class": name, "weight": weight, "body": {"input_data": [[0.5] * numbers]}}) + "\n"

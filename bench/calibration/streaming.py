"""`bench calibrate --streaming`: the harness against streams whose every token has a known time. Edge: starts runs.

The harness is held on one core and the emulator on another; chats of 64 tokens, with an aml_token that is renewed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.run import LoadedRun
from bench.calibration import goals, stream_truth
from bench.calibration.bench_run import LIVES, Setting, bench, cpu_us_per_request, emulator_on, endpoint_words
from bench.calibration.other_load import quietest
from bench.calibration.stream_truth import Reported
from bench.errors import RunInvalid
from bench.samples import chunks, stream

Row = dict[str, Any]

TOKENS = 64
_WARM_UP_S = 2
CHAT = {"messages": [{"role": "user", "content": "How true is it?"}], "max_tokens": TOKENS}
_COLUMNS = ("sequence", "intended_ns", "sent_ns", "first_token_ns", "content_events")


def streaming(asked: list[int], setting: Setting) -> Iterator[Row]:
    """Chats at rising arrival rates."""
    for rate in asked:
        row = quietest(lambda rate=rate: _one(rate, setting), repeat=setting.repeat)  # type: ignore[misc]
        assert row is not None  # noqa: S101 - a run that comes to nothing raises
        yield {**row, "goals": goals.of_streams(row)}


def _one(rate: int, setting: Setting) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as name:
        folder = Path(name)
        chat = folder / "chat.jsonl"
        chat.write_text(json.dumps(CHAT) + "\n", encoding="utf-8")
        truth_file = folder / "truth"
        words = [f"--arrival-rate={rate}", "--arrivals=poisson", f"--users={users_for(rate)}", f"--chat={chat}"]
        words += ["--path=/v1/chat/completions", f"--duration={setting.seconds:g}s", f"--warm-up={_WARM_UP_S}s"]
        with emulator_on(setting.cores.server, LIVES, truth_file) as facts:
            run, summary = bench(
                [*endpoint_words(facts, "aml_token"), *words],
                core=setting.cores.client,
                environment=facts["env"],
                cwd=folder / "results",
            )
        errors = stream_truth.compare(
            stream_truth.read(truth_file.with_name("truth.streams").read_bytes()), _reported(run)
        )
        on_disk = sum(file.stat().st_size for file in (run.path / "chunks").glob("*.arrows"))
    block, trust = summary["variants"]["aml_token"], summary["trust"]
    return {
        "load": f"{rate}/s",
        "achieved /s": float(trust["achieved_rate"] or block["throughput"]),
        "tokens /s": block["streams"]["throughput"],
        "streams": errors.streams,
        "miscounted": errors.miscounted,
        **_pair("true first token", errors.true_first),
        **_pair("first token error", errors.first),
        **_pair("each first token error", errors.each_first),
        **_pair("true gap", errors.true_gap),
        **_pair("gap error", errors.gap),
        **_pair("each gap error", errors.each_gap),
        "emulator late p99 ms": errors.own_late[1],
        "CPU us/token": cpu_us_per_request(run) / TOKENS,
        "bytes/gap": on_disk / max(len(run.gaps), 1),
        "refreshes": block["refreshes"]["count"],
        "failed": block["requests"] - block["outcomes"]["ok"],
        "trust": trust["verdict"],
        "reasons": trust["reasons"],
    }


def users_for(rate: int) -> int:
    """Enough for streams of up to 1.5 s, and few enough that all have connected when the warm-up is over.

    The truth of a stream begins where its request was read: a connect before it would be taken for an error.
    """
    return max(rate * 3 // 2, 1)


def _pair(name: str, values: tuple[float, float]) -> dict[str, float]:
    return {f"{name} p50 ms": values[0], f"{name} p99 ms": values[1]}


def _reported(run: LoadedRun) -> dict[str, Reported]:
    """Every measured stream of all workers by its client request id."""
    zero_ns, found = run.manifest["clock"]["monotonic_ns"], {}
    for path in sorted((run.path / "samples").glob("*.arrows")):
        samples, gaps = stream.inspect(path), chunks.inspect(run.path / "chunks" / path.name)
        if samples.fault or gaps.fault:
            raise RunInvalid(f"{path.stem}: {samples.fault or gaps.fault}", hint="calibrate again")
        sequence, gap_ns = chunks.read(gaps)
        starts = np.flatnonzero(np.diff(sequence, prepend=-1))
        own = dict(zip(sequence[starts].tolist(), np.split(gap_ns, starts[1:]), strict=True)) if len(starts) else {}
        for batch in stream.batches(samples, _COLUMNS):
            for number, due, sent, first, events in zip(*(batch.numbers(name) for name in _COLUMNS), strict=True):
                if due >= run.manifest["measure_from_ns"] and events:
                    gaps_ns = own.get(int(number), np.zeros(0, np.int64))
                    found[f"{run.run_id}-{path.stem}-{number:08x}"] = Reported(
                        int(sent) + zero_ns, int(first) + zero_ns, gaps_ns
                    )
    return found

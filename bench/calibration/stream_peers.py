"""Other tools for streamed answers beside this one. Edge: starts tools; for `bench calibrate --streaming --peers`.

Each tool measures chats of 64 tokens at 20 and 60 requests a second, held on one core and free to use all of them, and
what it says is held against what was true of the same streams, as the emulator wrote it down. Its gaps are held against
every gap, and against the mean gap of each request, which is what it may mean by the word.

A tool that is not there is left out, as is one that ends badly, hangs, or whose export is not as expected; why is said
on stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.calibration import stream_truth
from bench.calibration.bench_run import Setting, bench, emulator_on, hold
from bench.calibration.other_load import quietest
from bench.calibration.peers import key_of
from bench.calibration.stream_peer_tools import PATH, STREAM_TOOLS, TOKENS, WARM_UP_S, Chats, Pair, Said, StreamTool
from bench.calibration.streaming import CHAT, users_for
from bench.plain_text import write_line

Row = dict[str, Any]

_RATES = (20, 60)
_AS_MEANS = "gap error as means"
_LATEST_S = 240.0
"""What a tool may take for its start and its end; guidellm imports for half a minute on a slow core."""
_LONGEST = 300


def streaming_peers(setting: Setting) -> Iterator[Row]:
    """Ours and every peer that is there."""
    found = {name: path for name in STREAM_TOOLS if (path := shutil.which(name)) is not None}
    for name in (name for name in STREAM_TOOLS if name not in found):
        _left_out(name, "not installed, or its environment's bin is not on PATH")
    for rate in _RATES:
        row = quietest(partial(measured, "bench", "", rate, setting, setting.cores.client), repeat=setting.repeat)
        if row is not None:
            yield row
        for name, path in found.items():
            for core in dict.fromkeys((setting.cores.client, None)):
                row = quietest(partial(measured, name, path, rate, setting, core), repeat=setting.repeat)
                if row is not None:
                    yield row


def measured(name: str, path: str, rate: int, setting: Setting, core: int | None) -> Row | None:
    """What a tool said, less what was true; None when it came to nothing."""
    load = f"{name}, {rate}/s, {'all cores' if core is None else 'one core'}"
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        truth_file = Path(folder) / "truth"
        with emulator_on(setting.cores.server, "", truth_file) as facts:
            uri = urlsplit(facts["scoring_uri"]["key"])
            base = f"{uri.scheme}://{uri.netloc}"
            chats = Chats(base=base, seconds=setting.seconds, rate=rate, folder=Path(folder))
            secret = key_of(facts)
            try:
                said = (
                    _ours(chats, core, secret)
                    if name == "bench"
                    else _of(STREAM_TOOLS[name], path, chats, core, secret)
                )
            except (OSError, ValueError) as exc:
                _left_out(load, str(exc))
                return None
        true = list(stream_truth.streams(truth_file.with_name("truth.streams").read_bytes()))
    if not true:
        _left_out(load, "the emulator saw no stream of it")
        return None
    row = _row(said, true)
    if name == "bench":  # its gaps are every gap, and no means
        row |= dict.fromkeys(_named(_AS_MEANS, said.gap))
    return {"load": load, **row}


def _row(said: Said, true: list[stream_truth.TrueStream]) -> Row:
    """Its figures, and their errors over the streams that were not of the warm-up."""
    warm_ns = min(one.received_ns for one in true) + WARM_UP_S * 1e9
    whole = [one for one in true if one.received_ns >= warm_ns and len(one.sent_ns) > 1]
    first = _quantiles([one.sent_ns[0] - one.received_ns for one in whole])
    every_gap = _quantiles(np.concatenate([np.diff(one.sent_ns) for one in whole]) if whole else [])
    means = _quantiles([(one.sent_ns[-1] - one.sent_ns[0]) / (len(one.sent_ns) - 1) for one in whole])
    errors = {
        "first token error": (said.first, first),
        "gap error": (said.gap, every_gap),
        _AS_MEANS: (said.gap, means),
    }
    return {
        "requests": said.requests,
        "achieved /s": said.achieved,
        **_named("reported first token", said.first),
        **_named("reported gap", said.gap),
        **{
            key: value
            for name, (ours, truly) in errors.items()
            for key, value in _named(name, (ours[0] - truly[0], ours[1] - truly[1])).items()
        },
    }


def _named(name: str, values: Pair) -> dict[str, float]:
    return {f"{name} p50 ms": values[0], f"{name} p99 ms": values[1]}


def _quantiles(values_ns: Any) -> Pair:
    if not len(values_ns):
        return float("nan"), float("nan")
    p50, p99 = np.quantile(np.asarray(values_ns, np.float64), stream_truth.Q) / 1e6
    return float(p50), float(p99)


def _ours(chats: Chats, core: int | None, secret: str) -> Said:
    """First tokens from sending, as the others count them."""
    chat = chats.folder / "chat.jsonl"
    chat.write_text(json.dumps({**CHAT, "max_tokens": TOKENS}) + "\n", encoding="utf-8")
    words = [f"--scoring-uri={chats.base}{PATH}", f"--chat={chat}", f"--users={users_for(chats.rate)}"]
    words += [f"--arrival-rate={chats.rate}", "--arrivals=poisson", f"--warm-up={WARM_UP_S:g}s"]
    _, summary = bench(
        [*words, f"--duration={chats.seconds:g}s"],
        core=core,
        environment={"BENCH_KEY": secret},
        cwd=chats.folder / "results",
    )
    block = summary["variants"]["key"]
    first, gap = (block[f"{metric}_ms"] for metric in ("service_time_to_first_token", "inter_token_latency"))
    return Said(
        requests=block["streams"]["requests"]["service_time_to_first_token"],
        achieved=block["throughput"],
        first=(first["p50"], first["p99"]),
        gap=(gap["p50"], gap["p99"]),
    )


def _of(tool: StreamTool, path: str, chats: Chats, core: int | None, secret: str) -> Said:
    """Run it to its end. OSError or ValueError when it comes to nothing."""
    environment = {**os.environ, **tool.environment(secret), "NO_PROXY": "127.0.0.1"}
    _run(tool.command(path, chats), environment, core, folder=chats.folder, most_s=chats.seconds + _LATEST_S)
    return tool.read(chats)


def _run(command: list[str], environment: Mapping[str, str], core: int | None, *, folder: Path, most_s: float) -> None:
    """ValueError when it ends badly or hangs; whatever it started is ended with it."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=(lambda: hold(core)) if core is not None else None,
        )
        try:
            code = process.wait(most_s)
        except subprocess.TimeoutExpired as exc:
            raise ValueError(f"it had not ended after {most_s:.0f} s") from exc
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code:
        said = log.read_text("utf-8", "replace").strip().splitlines() or [""]
        error_line = next((line for line in reversed(said) if "rror:" in line), said[-1])
        raise ValueError(f"it ended with {code}: {error_line[:_LONGEST]}")


def _left_out(what: str, why: str) -> None:
    write_line(sys.stderr, f"{what} is left out: {why}")

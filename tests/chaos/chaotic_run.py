"""One short run with one fault in it, and what is expected of every run, whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.errors import EXIT_CODES, BenchError
from bench.runreader import load_run
from bench.samples import stream
from tests.chaos.faults import Fault, strike
from tests.chaos.processes import MARK, of_run
from tests.e2e.command import clean_environment

END_WITHIN_S = 150.0
"""For a slow machine: what is expected to be killed takes about 30 s on an idle one."""
_GONE_WITHIN_S = 20.0
_WORDS = (
    *("run", "--emulator", "--arrival-rate", "60", "--warm-up", "0s", "--duration", "3s", "--timeout", "2s"),
    *("--start-timeout", "10s", "--gate", "error_rate <= 100%"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it. `broken` are the expectations it broke."""

    fault: Fault
    done: str
    code: int
    took_s: float
    gone_s: float
    reason: str
    trust: str
    broken: tuple[str, ...]
    said: str

    def as_json(self) -> dict[str, Any]:
        fault = self.fault
        return {
            "seed": fault.seed,
            "fault": fault.kind,
            "done": self.done,
            "at_s": fault.at_s,
            "measuring": fault.measuring,
            "processes": fault.processes,
            "code": self.code,
            "took_s": round(self.took_s, 1),
            "gone_s": round(self.gone_s, 1),
            "reason": self.reason,
            "trust": self.trust,
            "broken": list(self.broken),
        }


def carry_out(fault: Fault, cwd: Path) -> Outcome:
    mark = f"{os.getpid()}-{fault.seed}-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "bench", *_WORDS, "--processes", str(fault.processes)]
    with tempfile.TemporaryFile() as file:
        reads_itself = fault.kind == "closed pipe"
        bench = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(**{MARK: mark}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads_itself else file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        began_s = time.monotonic()
        while fault.measuring and bench.poll() is None and not _rows(cwd):
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            bench.wait(timeout=fault.at_s)
        flushed = _rows(cwd)
        done = strike(fault, bench, mark, cwd) if bench.poll() is None else ""
        code, took_s, gone_s = _end_of(bench, mark, began_s)
        said = _said(file)
    return _judged(fault, done, code=code, took_s=took_s, gone_s=gone_s, said=said, flushed=flushed, cwd=cwd)


def _end_of(bench: subprocess.Popen[bytes], mark: str, began_s: float) -> tuple[int | None, float, float]:
    """Its exit code (None when it had to be killed), how long it took, and how long the last child outlived it."""
    try:
        code: int | None = bench.wait(timeout=END_WITHIN_S)
    except subprocess.TimeoutExpired:
        code = None
    took_s, ended_s = time.monotonic() - began_s, time.monotonic()
    while (left := of_run(mark)) and time.monotonic() - ended_s < _GONE_WITHIN_S and code is not None:
        time.sleep(0.02)
    gone_s = time.monotonic() - ended_s
    for each in left:
        with contextlib.suppress(OSError):
            os.kill(each.pid, signal.SIGKILL)
    if code is None:
        bench.wait()
    return code, took_s, gone_s


def _judged(
    fault: Fault, done: str, *, code: int | None, took_s: float, gone_s: float, said: str, flushed: int, cwd: Path
) -> Outcome:
    broken = []
    if code is None:
        broken.append(f"did not end within {END_WITHIN_S:g} s")
    elif code not in EXIT_CODES and not (code == -signal.SIGKILL and (fault.kind, done) == ("kill", "bench")):
        broken.append(f"exit code {code}")
    if gone_s >= _GONE_WITHIN_S:
        broken.append("left a process behind")
    if "Traceback" in said or 'File "' in said:
        broken.append("a traceback on the terminal")
    reason, trust = "", ""
    for manifest in cwd.glob("results/*/manifest.json"):
        reason, trust = _read_back(manifest, broken, flushed if fault.kind != "flipped bit" else 0)
    if code == 0 and not trust and (verdict := re.search(r"\b(TRUSTED|SUSPECT|INVALID)\b", said)):
        trust = verdict[0]  # the flipped bit was in the summary, after the verdict
    if code == 0 and (trust not in {"TRUSTED", "SUSPECT"} or reason not in {"completed", "decided"}):
        broken.append(f"green, though {trust or 'without a verdict'} and ended by {reason or 'nobody knows what'}")
    shown = -1 if code is None else code
    return Outcome(
        fault=fault, done=done, code=shown, took_s=took_s, gone_s=gone_s, reason=reason, trust=trust,
        broken=tuple(broken), said=said,
    )  # fmt: skip


def _read_back(manifest: Path, broken: list[str], flushed: int) -> tuple[str, str]:
    try:
        run = load_run(manifest.parent)
    except BenchError:  # the flipped bit was in the manifest, or there was no room for one: one line, and no report
        return "", ""
    except Exception as exc:  # noqa: BLE001 - it is what is looked for
        broken.append(f"cannot be read back: {type(exc).__name__}: {exc}")
        return "", ""
    rows = sum(stream.inspect(path).rows for path in manifest.parent.glob("samples/*.arrows"))
    if rows < flushed:
        broken.append(f"{rows} samples can be read of {flushed} that had been flushed")
    trust = ""
    with contextlib.suppress(OSError, ValueError, KeyError):
        trust = str(json.loads((manifest.parent / "summary.json").read_text())["trust"]["verdict"])
    return str((run.manifest.get("ended") or {}).get("reason", "")), trust


def _rows(cwd: Path) -> int:
    """Samples on disk now."""
    return sum(stream.inspect(path).rows for path in cwd.glob("results/*/samples/*.arrows"))


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")

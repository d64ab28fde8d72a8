"""One random fault, drawn from a seed before the run begins, and let loose on whoever is there then."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.processes import Process, listening_ports, of_run, send_to, stop, wait_until_signals_are_handled

KINDS = ("kill", "stop", "stop for good", "signal", "full disk", "flipped bit", "closed pipe", "stranger")
ROLES = ("bench", "locust", "worker", "agent", "emulator")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 48
"""The first bytes of ZMQ's protocol, as Locust's workers speak it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What, to whom, when: seconds after `bench` was started, or after the first sample is on disk (`measuring`)."""

    seed: int
    kind: str
    role: str
    measuring: bool
    at_s: float
    processes: int
    for_s: float
    number: signal.Signals
    times: int
    to_group: bool

    @classmethod
    def drawn(cls, seed: int) -> Fault:
        dice = random.Random(seed)
        kind = KINDS[seed % len(KINDS)]
        roles = [role for role in ROLES if not (kind == "stop for good" and role == "bench")]
        measuring = kind == "flipped bit" or dice.random() < 0.6
        return cls(
            seed=seed,
            kind=kind,
            role=dice.choice(roles),
            measuring=measuring,
            at_s=round(dice.uniform(0.0, 3.5) if measuring else dice.uniform(0.1, 5.0), 2),
            processes=dice.choice((1, 1, 2, 3)),
            for_s=round(dice.uniform(1.0, 5.0), 1),
            number=dice.choice(SIGNALS),
            times=dice.choice((1, 3)),
            to_group=dice.random() < 0.4,
        )


def strike(fault: Fault, bench: subprocess.Popen[bytes], mark: str, cwd: Path) -> str:
    """Let it loose. What was done, to whom; empty when the one to be struck was not there."""
    there = of_run(mark)
    victims = [each for each in there if each.role == fault.role] or [each for each in there if each.role != "bench"]
    victim = random.Random(fault.seed).choice(victims) if victims else None
    if fault.kind in {"kill", "stop", "stop for good", "signal"}:
        return _signal(fault, bench, victim) if victim is not None else ""
    if fault.kind == "full disk":
        return _fill(there, cwd)
    if fault.kind == "flipped bit":
        return _flip(fault, cwd)
    if fault.kind == "closed pipe":
        assert bench.stdout is not None
        bench.stdout.close()
        return "stdout and stderr"
    ports = listening_ports([each.pid for each in there])
    for port in ports:
        send_to(port, GREETING + random.Random(fault.seed).randbytes(300))
    return f"{len(ports)} ports" if ports else ""


def _signal(fault: Fault, bench: subprocess.Popen[bytes], victim: Process) -> str:
    if fault.kind == "signal":
        for each in (bench.pid, victim.pid):
            wait_until_signals_are_handled(each)
        for _ in range(fault.times):
            if fault.to_group:
                os.killpg(bench.pid, fault.number)
            else:
                stop(victim.pid, fault.number)
            time.sleep(0.05)
        return f"{fault.number.name} x{fault.times} to {'the group' if fault.to_group else victim.role}"
    stop(victim.pid, signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
    if fault.kind == "stop":
        time.sleep(fault.for_s)
        stop(victim.pid, signal.SIGCONT)
    return victim.role


def _fill(there: list[Process], cwd: Path) -> str:
    """No file of theirs may grow any more: what a full disk does, without a disk. The emulator's log is its own."""
    most = max((path.stat().st_size for path in cwd.rglob("*") if path.is_file()), default=0)
    done = 0
    for each in there:
        if each.role in {"bench", "locust", "worker"}:
            try:
                resource.prlimit(each.pid, resource.RLIMIT_FSIZE, (most, most))
                done += 1
            except OSError:
                continue
    return f"no file beyond {most} bytes" if done else ""


def _flip(fault: Fault, cwd: Path) -> str:
    dice = random.Random(fault.seed)
    files = sorted(path for path in cwd.glob("results/*/**/*") if path.is_file() and path.stat().st_size)
    if not files:
        return ""
    path = dice.choice(files)
    place = dice.randrange(path.stat().st_size)
    try:
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << dice.randrange(8)]))
    except (OSError, IndexError):
        return ""
    return str(path.relative_to(cwd).relative_to(*path.relative_to(cwd).parts[:2]))

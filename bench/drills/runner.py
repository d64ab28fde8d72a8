"""One drill carried out: emulator up, Locust up, faults and client faults at their time, evidence gathered. Edge.

All processes are its own, and gone when it returns.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis import auth_failures
from bench.clock import monotonic_ns
from bench.drills import goals
from bench.drills.drill import ClientFault, ClientFaultKind, Drill
from bench.drills.evidence import Call, Evidence
from bench.drills.findings import Findings, find
from bench.drills.rig import LocustRun, attempts_of, await_zero, environment_for, flights_of, values_for
from bench.errors import BenchError
from bench.rundir import RunDir
from bench.runreader import load_run
from bench.target.emulator_admin import EmulatorAdmin
from bench.target.local_emulator import LocalEmulator

_END_WITHIN_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A drill that was carried out. `missed` are the goals it missed, `summary` what any run's summary says of auth,
    `said` all that Locust wrote."""

    drill: Drill
    folder: RunDir
    findings: Findings
    missed: tuple[str, ...]
    summary: dict[str, Any]
    said: str


def carry_out(drill: Drill, *, locustfile: Path, out: Path, processes: int = 1, extra: Sequence[str] = ()) -> Done:
    """Run it and look at what it cost; `extra` are options for Locust. BenchError when there is nothing to look at."""
    with _emulator(drill.emulator) as emulator:
        admin = EmulatorAdmin(emulator.facts["admin"])
        admin.script([fault for fault in drill.faults if "at" not in fault])
        facts = emulator.facts
        values = values_for(drill, facts=facts, out=out, processes=processes)
        with closing(LocustRun(locustfile, values, environment=environment_for(facts), extra=extra)) as locust:
            zero_ns = await_zero(locust)
            admin.start(zero_ns)
            admin.script([fault for fault in drill.faults if "at" in fault])
            for fault in sorted(drill.client_faults, key=lambda fault: fault.at_s):
                _sleep_until(zero_ns + round(fault.at_s * 1e9))
                _inject(fault, locust, emulator)
            folder = locust.finish(drill.duration_s + _END_WITHIN_S)
            said = locust.said()
        evidence = _gather(folder, admin, zero_ns=zero_ns, due=round(drill.rate * drill.duration_s))
    findings = find(drill, evidence)
    missed = goals.missed(drill, findings)
    return Done(drill=drill, folder=folder, findings=findings, missed=missed, summary=_summary(folder), said=said)


@contextmanager
def _emulator(options: str) -> Iterator[LocalEmulator]:
    emulator = LocalEmulator.start(options)
    try:
        yield emulator
    finally:
        emulator.process.send_signal(signal.SIGCONT)
        emulator.stop()


def _inject(fault: ClientFault, locust: LocustRun, emulator: LocalEmulator) -> None:
    if fault.kind is ClientFaultKind.KILL_AGENT:
        pid = locust.agent_pid()
        if pid is None:
            raise BenchError("the drill found no credential agent to kill", hint="it reads /proc, which needs Linux")
        os.kill(pid, signal.SIGKILL)
        return
    emulator.process.send_signal(signal.SIGSTOP)
    time.sleep(fault.for_s)
    emulator.process.send_signal(signal.SIGCONT)


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(at_ns - monotonic_ns(), 0) / 1e9)


def _gather(folder: RunDir, admin: EmulatorAdmin, *, zero_ns: int, due: int) -> Evidence:
    return Evidence(
        attempts=attempts_of(folder),
        flights=flights_of(folder),
        calls=tuple(
            Call(at_ns=record["at_ns"] - zero_ns, operation=record["operation"], status=record["status"])
            for record in admin.get("log")
        ),
        refusals={record["x-ms-client-request-id"]: record["reason"] for record in admin.get("refusals")},
        due=due,
    )


def _summary(folder: RunDir) -> dict[str, Any]:
    """`auth_failures` and `refreshes` as summary.json has them."""
    run = load_run(folder.path)
    variant = run.variants[0]
    failures, refreshes = auth_failures.of(run, variant), auth_failures.refreshes(run, variant)
    return {"auth_failures": dataclasses.asdict(failures), "refreshes": dataclasses.asdict(refreshes)}

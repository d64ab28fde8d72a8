"""Faults that really happen, and what they may cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.drills import runner
from bench.drills.catalogue import DRILLS
from bench.drills.runner import Done
from bench.target.emulator_admin import EmulatorAdmin
from bench.target.local_emulator import LocalEmulator
from tests.e2e.command import LOCUSTFILES, bench
from tests.emulator.process import EmulatorProcess
from tests.security.searching import found_below, found_in


def carry_out(name: str, out: Path, **more: Any) -> Done:
    drill = DRILLS[name]
    return runner.carry_out(drill, locustfile=LOCUSTFILES / f"{drill.auth_mode}.py", out=out, **more)


@pytest.mark.parametrize("name", ["key_primary_rotated", "arm_503"])
def test_costs_nothing_beyond_what_was_in_flight(name: str, tmp_path: Path) -> None:
    """Every arrival has a sample, nothing is lost, one fetch at a time, every refusal with its right cause.

    How soon it is over is measured by `bench drill`, on a machine that does nothing else.
    """
    done = carry_out(name, tmp_path)
    found = done.findings
    assert found.arrivals > 1000
    assert found.missing == 0
    assert found.lost == found.lost_in_flight, done
    assert (found.overlapping_fetches, found.unexplained_calls) == (0, 0), done
    assert found.classified == found.refused, found.misjudged
    assert found.fetches >= 1
    assert done.summary["refreshes"]["failures"] == found.failed_fetches


def test_list_and_unknown_name(tmp_path: Path) -> None:
    """`--list` has every drill with a line on it; an unknown name says what there is."""
    assert len(bench("drill", "--list", cwd=tmp_path).out.splitlines()) == len(DRILLS)
    unknown = bench("drill", "flood", cwd=tmp_path)
    assert unknown.code == 2
    assert "key_primary_rotated" in unknown.err


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """What the drill's emulator guards: its keys before and after, and what proves to be its principals."""
    known: set[str] = set()
    start, get = LocalEmulator.start, EmulatorAdmin.get
    running = EmulatorProcess(process=None)  # type: ignore[arg-type]

    def spied_start(options: str = "") -> LocalEmulator:
        emulator = start(options)
        running.said = emulator.facts
        known.update({emulator.facts["env"]["IDENTITY_HEADER"], emulator.facts["entra"]["client_secret"]})
        known.update(running.arm("POST", "/onlineEndpoints/ep-key/listKeys").json.values())
        return emulator

    def spied_get(admin: EmulatorAdmin, what: str) -> Any:
        if what == "refusals":
            known.update(running.arm("POST", "/onlineEndpoints/ep-key/listKeys").json.values())
        return get(admin, what)

    monkeypatch.setattr(runner.LocalEmulator, "start", spied_start)
    monkeypatch.setattr(EmulatorAdmin, "get", spied_get)
    yield known
    assert len(known) >= 4


@pytest.mark.soak
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", DRILLS)
def test_meets_its_goals_and_tells_no_secret(name: str, processes: int, tmp_path: Path, secrets: set[str]) -> None:
    """Every drill, alone and over the relay, with everything logged: goals met, and no secret in a byte it left."""
    done = carry_out(name, tmp_path, processes=processes, extra=("--loglevel", "DEBUG"))
    assert done.missed == (), done.findings
    assert "DEBUG" in done.said
    assert not found_in(done.said.encode(), secrets)
    assert not found_below(tmp_path, secrets)

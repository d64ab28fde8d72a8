"""One eventful run, reported on once; the tests of this room read what it left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from bench.report.build import write_report
from bench.report.words import GateRow
from bench.rundir import RunDir
from tests.report.episodes import write_eventful_run

GATES = (
    GateRow(
        metric="response_time.p99 < 250ms", verdict="PASS", measured="31 ms", interval="[20, 44]", threshold="250 ms"
    ),
    GateRow(metric="auth_failure_rate == 0", verdict="FAIL", measured="1.7 %", interval="", threshold="0 %"),
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A run's folder after `write_report`, and its summary."""

    folder: RunDir
    summary: dict[str, Any]

    @property
    def page(self) -> str:
        return self.folder.report.read_text(encoding="utf-8")

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.folder.summary.read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="session")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    path = tmp_path_factory.mktemp("results") / "20260101-000000-000-beef"
    write_eventful_run(path, rate=200.0)
    return Reported(RunDir(path), write_report(path, gates=GATES))

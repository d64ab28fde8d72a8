"""What the master writes of a run: its folder, manifest, fetches and errors. Edge.

Only the beginning may fail. From then on nothing here raises for want of a disk: what was lost is counted, and the
manifest gets its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import clock
from bench.endpoint import Endpoint
from bench.errors import RunInvalid
from bench.load.roles.flight_file import FlightFile, FlightTimes, Record
from bench.load.roles.manifest import manifest_of
from bench.load.roles.manifest_file import ManifestFile
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir


class RunRecord:
    """The record of the run in `run`, which begins with the plan and ends with `finish`."""

    def __init__(
        self, out: Path, plan: RunPlan, *, described: Mapping[str, Endpoint], notes: Sequence[str] = ()
    ) -> None:
        """Raises RunInvalid when the disk has no room, UsageError when `out` cannot be written to."""
        anchor = clock.ClockAnchor.now()
        self.run = RunDir.create(out, anchor)
        self.values: dict[str, Any] = manifest_of(self.run, plan, anchor=anchor, described=described, notes=notes)
        self._manifest = ManifestFile(self.run.manifest)
        try:
            self._manifest.write(self.values)
            self._flights = FlightFile(self.run.flights, run_id=self.run.run_id)
        except OSError as exc:
            self._manifest.release()
            raise RunInvalid(
                f"cannot write {self.run.manifest}: {exc.strerror or exc}",
                hint="make room, or choose another folder with --out",
            ) from exc
        self._times = FlightTimes(self._flights.write)
        self.unwritten_changes = 0
        """How often the manifest could not be rewritten while the run went on."""

    @property
    def lost_flights(self) -> int:
        return self._flights.lost

    @property
    def flights(self) -> int:
        """Lines of flights.jsonl so far."""
        return self._flights.written

    def started(self, zero_ns: int, changes: Mapping[str, Any]) -> None:
        """The clock has started."""
        self._times.start(zero_ns)
        self.change(changes)

    def change(self, changes: Mapping[str, Any]) -> None:
        """The manifest changes while the run goes on."""
        self.values |= changes
        try:
            self._manifest.write(self.values)
        except OSError:
            self.unwritten_changes += 1

    def flight(self, record: Record) -> None:
        """A fetch, with this host's monotonic times."""
        self._times.add(record)

    def worker_flight(self, record: Record) -> None:
        """A fetch, in the run's own time."""
        self._flights.write(record)

    def finish(self, changes: Mapping[str, Any], *, zero_ns: int) -> bool:
        """Write the end. False when the disk did not take even that."""
        self._times.start(zero_ns)
        self._flights.close()
        self.values |= {**changes, "flights": self._flights.written}
        return self._manifest.finish(self.values)

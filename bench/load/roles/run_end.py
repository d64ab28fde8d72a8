"""What a run's manifest says of its end, and a person is shown. Edge: reads what the senders wrote last, stderr.

`reason` is one of these words:

    completed   it went on for as long as it was asked to
    decided     SIGUSR1, from a `bench run` that watches its gates and knows enough
    stopped     a person: the page's Stop, and a signal where the run had no end of its own
    signal      a signal, or the loss of whoever started this Locust
    overdue     answers were awaited for longer than the time-out allows
    lost        workers, or what the disk did not take
    failed      an error (`ended.error`), or an exception that nobody expected: its traceback is in `errors/`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from bench.errors import BenchError
from bench.load.roles.conductor import Conductor
from bench.load.roles.losses import are_bearable
from bench.load.roles.manifest import rows_written
from bench.load.roles.record import RunRecord
from bench.load.roles.senders import DiskLoss, Senders
from bench.plain_text import write_line
from bench.plan.run_plan import RunPlan


def is_lost(senders: Senders, plan: RunPlan | None, at_ns: int) -> bool:
    """Whether a run that went on until `at_ns` lacks samples that it should have, or the load of a worker."""
    disk = senders.disk_loss()
    return bool(
        senders.all_lost
        or disk.samples
        or disk.pieces
        or disk.gaps
        or (plan is not None and not are_bearable(senders.losses, plan, at_ns))
    )


def changes(
    run: Conductor, record: RunRecord, senders: Senders, *, at_ns: int, error: BenchError | None
) -> dict[str, Any]:
    """What the manifest has more than at the run's start."""
    losses, disk = senders.losses, senders.disk_loss()
    fields: dict[str, Any] = {
        "samples": rows_written(record.run),
        "chunks": rows_written(record.run, "gaps_written"),
        "flights": record.flights,
        "ended": {"at_ns": at_ns, "reason": run.reason},
    }
    if error is not None:
        fields["ended"]["error"] = error.describe()
    if run.shape is not None:
        fields["shape"] = run.shape.as_json(end_s=at_ns / 1e9)
    if record.values["workers"]:
        fields["workers"] = list(senders.names)
    if losses:
        fields["lost"] = [loss.as_json() for loss in losses]
        fields["lost_samples"] = sum(loss.samples for loss in losses)
    lines = disk.lines + record.lost_flights
    if disk.samples or disk.pieces or disk.gaps or lines:
        fields["disk"] = {
            "lost_from_s": None if disk.from_ns is None else round(disk.from_ns / 1e9, 3),
            "unwritten_samples": disk.samples,
            "lost_lines": lines,
            "lost_gaps": disk.gaps,
            "lost_pieces": disk.pieces,
        }
    return fields


def say_losses(disk: DiskLoss, record: RunRecord) -> None:
    """What the disk did not take, in one line."""
    for line in _of_disk(disk, disk.lines + record.lost_flights):
        write_line(sys.stderr, f"disk full: {line}")


def _of_disk(disk: DiskLoss, lines: int) -> Iterator[str]:
    if disk.gaps:
        since = f"from second {disk.from_ns / 1e9:.0f} on " if disk.from_ns is not None else ""
        yield f"{since}{disk.samples:,} samples and {disk.gaps:,} gaps between tokens are lost"
    elif disk.from_ns is not None:
        yield f"samples from second {disk.from_ns / 1e9:.0f} on are lost ({disk.samples:,} of them)"
    elif disk.pieces:
        yield "samples of workers on other hosts are lost"
    elif lines:
        yield f"{lines:,} lines of health and fetches are lost"

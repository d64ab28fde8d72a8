"""The parts that a sender is put together from. Edge: opens the files that a run writes.

Of a plan and of this process's part in it: its files, a lane for each variant, and the arrivals that are to be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.credentials import CredentialManager
from bench.errors import RunInvalid
from bench.line_file import LineFile
from bench.load.engine.arrivals import schedule
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.lane import Lane
from bench.load.engine.lateness import Lateness
from bench.load.engine.shared import Engine
from bench.load.roles.part import Part
from bench.load.roles.request_events import RequestEvents
from bench.load.wire.address import parse_address
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir
from bench.sample import Outcome, WorkloadModel
from bench.samples.chunks import ChunkRecorder
from bench.samples.recorder import Recorder, Words
from bench.target.client_certificate import ClientCertificate
from bench.target.spec import secret_headers_of


def files_of(run: RunDir, worker: str, facts: dict[str, str]) -> tuple[LineFile, Recorder, ChunkRecorder]:
    """Health, samples and gaps between tokens; `facts` say in the last two whose they are. RunInvalid without room."""
    try:
        return (
            LineFile(run.health / f"{worker}.jsonl"),
            Recorder(run.samples / f"{worker}.arrows", metadata=facts),
            ChunkRecorder(run.chunks / f"{worker}.arrows", metadata=facts),
        )
    except OSError as exc:
        raise RunInvalid(
            f"cannot write samples to {run.path}: {exc.strerror or exc}", hint="make room, or choose another --out"
        ) from exc


def lanes_of(
    plan: RunPlan, managers: tuple[CredentialManager, ...], client: ClientCertificate, *, variants: Words
) -> tuple[Lane, ...]:
    """One for each variant, with its manager; `variants` are their codes in the samples."""
    uris = [variant.scoring_uri for variant in plan.variants] if plan.target == "scoring_uri" else []
    return tuple(
        Lane(
            variant,
            parse_address(variant.scoring_uri, ca_file=plan.ca_file, client=client),
            manager,
            code=variants.code(variant.name),
            deployment=variant.deployment,
            request=plan.request,
            secret_headers=secret_headers_of(plan.request, uris, place),
        )
        for place, (variant, manager) in enumerate(zip(plan.variants, managers, strict=True))
    )


def dispatcher_of(plan: RunPlan, part: Part, bench: Engine, *, dues_ns: Sequence[int] | None) -> Dispatcher | None:
    """The arrivals of this process; None in the closed model. `dues_ns` are those of a request file with times."""
    if plan.model is not WorkloadModel.OPEN:
        return None
    return Dispatcher(
        [
            schedule(plan, worker=part.index, workers=part.workers, variant=lane, dues_ns=dues_ns)
            for lane in range(len(bench.lanes))
        ],
        [Lateness(bench.watch, lane.lease_waits) for lane in bench.lanes],
        may_grow=True,
    )


def fold_of(events: RequestEvents, bench: Engine, *, method: str) -> Callable[[Any], None]:
    """What folds the recorder's rows into Locust's own statistics."""
    events.method = method
    classes = bench.recorder.request_classes.codes
    ok = bench.recorder.outcomes.codes[Outcome.OK.value]

    def fold(rows: Any) -> None:
        names = {(lane.code, code): lane.name_of(word) for lane in bench.lanes for word, code in classes.items()}
        events.fold(rows, names=names, ok=ok, zero_ns=bench.zero_ns)

    return fold

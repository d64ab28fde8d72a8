"""A line of a history as a run of MLflow, and back. Pure.

The line is the truth: it lies in the run's tags, in pieces, for all servers promise tags of 5,000 bytes and 20 of them.
Parameters and metrics are made of it for people to look at, and are never read. A run counts when it is FINISHED, which
is said last.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from bench.errors import RunInvalid
from bench.schemas.history import HistoryEntry

RUN_TAG = "bench_run_id"
_COUNT_TAG = "bench_line_pieces"
_PIECE_TAG = "bench_line_"
_PIECE = 4_000
_MOST_PIECES = 14
_METRIC = re.compile(r"[^\w./ -]", re.ASCII)

Answer = TypeVar("Answer", bound=Struct)
Id = Annotated[str, Meta(pattern=r"^[\w-]{1,250}$")]


class Tag(Struct, frozen=True):
    """One of a run."""

    key: str
    value: str


class RunInfo(Struct, frozen=True):
    """What of it is used."""

    run_id: Id
    status: str = ""
    artifact_uri: str = ""


class RunData(Struct, frozen=True):
    """The same."""

    tags: list[Tag] = []


class Run(Struct, frozen=True):
    """A run, ours or somebody else's."""

    info: RunInfo
    data: RunData = RunData()

    @property
    def tags(self) -> dict[str, str]:
        return {tag.key: tag.value for tag in self.data.tags}

    @property
    def counts(self) -> bool:
        """Whether it is a run of a history that was added whole."""
        return self.info.status == "FINISHED" and RUN_TAG in self.tags


class CreatedRun(Struct, frozen=True):
    """Answer of runs/create."""

    run: Run


class Page(Struct, frozen=True):
    """Answer of runs/search."""

    runs: list[Run] = []
    next_page_token: str = ""


class CreatedExperiment(Struct, frozen=True):
    """Answer of experiments/create."""

    experiment_id: Id


class Experiment(Struct, frozen=True):
    """An experiment."""

    experiment_id: Id
    lifecycle_stage: str = "active"


class FoundExperiment(Struct, frozen=True):
    """Answer of experiments/get-by-name."""

    experiment: Experiment


class Refusal(Struct, frozen=True):
    """Answer of any of them."""

    error_code: Annotated[str, Meta(pattern=r"^[A-Z_]{0,60}$")] = ""


class Nothing(Struct, frozen=True):
    """Of what answers, nothing is used."""


def decoded(raw: bytes, schema: type[Answer]) -> Answer | None:
    """An answer as its type; None for anything else."""
    try:
        return msgspec.json.decode(raw or b"{}", type=schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def creation(entry: HistoryEntry, experiment_id: str, *, now_ms: int) -> dict[str, Any]:
    """What runs/create is asked. RunInvalid for a line that is too long."""
    git = {"mlflow.source.git.commit": entry.commit, "mlflow.source.git.branch": entry.branch}
    tags = {RUN_TAG: entry.run_id, **_in_pieces(entry), **{key: value for key, value in git.items() if value}}
    return {
        "experiment_id": experiment_id,
        "run_name": entry.run_id,
        "start_time": _made_at_ms(entry.at, now_ms),
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


def batch(entry: HistoryEntry, run_id: str, *, now_ms: int) -> dict[str, Any]:
    """What runs/log-batch is asked: the figures as metrics, times in milliseconds, and what the run was."""
    at_ms = _made_at_ms(entry.at, now_ms)
    run_facts = {name: getattr(entry, name) for name in ("trust", "target", "plan", "machine")}
    deployments = {f"deployment of {variant}": name for variant, name in entry.deployments.items()}
    params = {_METRIC.sub("_", key): value for key, value in {**run_facts, **deployments}.items() if value}
    return {
        "run_id": run_id,
        "metrics": [{"key": key, "value": value, "timestamp": at_ms, "step": 0} for key, value in _metrics(entry)],
        "params": [{"key": key, "value": value} for key, value in params.items()],
    }


def line_of(tags: Mapping[str, str]) -> bytes:
    """The line that a run's tags hold, whole or not."""
    count = tags.get(_COUNT_TAG, "")
    number = int(count) if re.fullmatch(r"[0-9]{1,3}", count) else 0
    return "".join(tags.get(f"{_PIECE_TAG}{n}", "") for n in range(1, number + 1)).encode("utf-8", "replace")


def _in_pieces(entry: HistoryEntry) -> dict[str, str]:
    """Without a blank in it, which a server may trim."""
    line = json.dumps(msgspec.structs.asdict(entry), separators=(",", ":")).replace(" ", "\\u0020")
    pieces: Sequence[str] = [line[at : at + _PIECE] for at in range(0, len(line), _PIECE)]
    if len(pieces) > _MOST_PIECES:
        raise RunInvalid(
            f"run {entry.run_id} has {len(entry.figures)} variants: too many for MLflow",
            hint="keep the history in a folder",
        )
    return {_COUNT_TAG: str(len(pieces)), **{f"{_PIECE_TAG}{n}": piece for n, piece in enumerate(pieces, start=1)}}


def _metrics(entry: HistoryEntry) -> Iterator[tuple[str, float]]:
    """`key/response_time.p50`, with what a name may not hold replaced."""
    for variant, figures in entry.figures.items():
        for metric, (value, _, _) in figures.items():
            if value is not None and math.isfinite(value):
                yield _METRIC.sub("_", f"{variant}/{metric}"), value


def _made_at_ms(at: str, now_ms: int) -> int:
    try:
        return int(datetime.strptime(at, "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return now_ms

"""Where a history is kept: in a folder, or in an MLflow experiment. Edge: the environment says where the server is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from bench.errors import UsageError
from bench.history import ledger
from bench.history.lines import Added, Entries
from bench.schemas.history import HistoryEntry

MLFLOW = "mlflow:"
"""What the name of an experiment follows."""


class Place(Protocol):
    """One history. Its lines are the same wherever they lie."""

    @property
    def shown(self) -> str:
        """For messages."""

    def check(self) -> None:
        """Before anything is sent: UsageError, or another error, for what cannot hold a history."""

    def read(self) -> Entries:
        """The runs in the order they were made, and what could not be used. UsageError when there is no history."""

    def add(self, entry: HistoryEntry, *, run: Path) -> Added:
        """Keep a line, once. `run` is the folder it was made of."""


def place_of(text: str) -> Place:
    """`mlflow:EXPERIMENT`, or a folder. UsageError when the environment names no server."""
    if not text.startswith(MLFLOW):
        return Folder(Path(text))
    from bench.history.mlflow.address import address
    from bench.history.mlflow.experiment import MlflowExperiment
    from bench.history.mlflow.server import TrackingServer

    return MlflowExperiment(text.removeprefix(MLFLOW), TrackingServer(address(os.environ)))


class Folder:
    """A folder with the file of a history in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def shown(self) -> str:
        return str(self._path)

    def check(self) -> None:
        if self._path.exists() and not self._path.is_dir():
            raise UsageError(f"--history {self._path} is not a folder", hint="name the folder, not the file in it")
        if (self._path / ledger.FILE).exists():
            self.read()

    def read(self) -> Entries:
        return ledger.read(self._path)

    def add(self, entry: HistoryEntry, *, run: Path) -> Added:  # noqa: ARG002 - the line is all that is kept
        return Added(new=ledger.add(self._path, entry))

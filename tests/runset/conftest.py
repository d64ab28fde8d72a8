"""A summary takes half a second, and many sets here hold the same run: each is summarised once."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest

from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.runset import folder

_MADE_FROM = ("manifest.json", "flights.jsonl", "samples/*", "chunks/*", "health/*")
_SUMMARIES: dict[str, dict[str, Any]] = {}


def _content(run: LoadedRun) -> str:
    """What a summary is made from: the run's files, wherever they are."""
    files = sorted(file for pattern in _MADE_FROM for file in run.path.glob(pattern))
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(run.path)} {file.stat().st_size} ".encode() + file.read_bytes())
    return found.hexdigest()


@pytest.fixture(autouse=True)
def summarised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(run: LoadedRun, **options: Any) -> dict[str, Any]:
        key = f"{_content(run)} {sorted(options.items())!r}"
        if key not in _SUMMARIES:
            _SUMMARIES[key] = summarise(run, **options)
        return copy.deepcopy(_SUMMARIES[key])

    monkeypatch.setattr(folder, "summarise", once)

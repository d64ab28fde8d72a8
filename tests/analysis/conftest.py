"""Runs the tests of a whole module can share; nobody changes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.run import LoadedRun
from bench.runreader import load_run
from tests.analysis.synthetic import write_run


@pytest.fixture(scope="session")
def two_sides(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    """key against aml_token that is 0.5 ms slower: 400/s for 30 s, refreshes every 8 s, nothing wrong."""
    return load_run(write_run(tmp_path_factory.mktemp("runs") / "two-sides"))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., LoadedRun]:
    """`synthetic.write_run` with the given options, loaded; each call is another run."""
    made = []

    def make(**options: Any) -> LoadedRun:
        made.append(load_run(write_run(tmp_path / f"run-{len(made)}", **options)))
        return made[-1]

    return make

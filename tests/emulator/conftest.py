"""Emulators that tests of this room share; whoever breaks one with faults heals it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.process import EmulatorProcess, emulator


@pytest.fixture(scope="session")
def shared() -> Iterator[EmulatorProcess]:
    """One emulator that answers at once and has two deployments."""
    with emulator("--service-zero", "--traffic", "blue=100", "green=0") as running:
        yield running


@pytest.fixture
def healthy(shared: EmulatorProcess) -> Iterator[EmulatorProcess]:
    """The shared emulator, without faults before and after."""
    shared.admin("DELETE", "faults")
    yield shared
    shared.admin("DELETE", "faults")

"""One emulator and one agent for all tests of the room: an agent takes seconds to import the SDK."""

from collections.abc import Iterator

import pytest

from bench.credentials import Agent
from tests.credentials.emulated import Emulator


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    yield emulator
    emulator.stop()


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Iterator[Emulator]:
    """An emulator on a fine day; the faults of the test before are forgotten."""
    yield shared_emulator
    shared_emulator.calm()


@pytest.fixture(scope="session")
def shared_agent(shared_emulator: Emulator) -> Iterator[Agent]:
    agent = Agent(shared_emulator.workspace, env=shared_emulator.env)
    yield agent
    agent.close()


@pytest.fixture
def agent(shared_agent: Agent, emulator: Emulator) -> Agent:
    """A warm agent that asks the emulator."""
    shared_agent.ping()
    return shared_agent

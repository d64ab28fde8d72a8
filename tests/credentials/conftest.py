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


@pytest.fixture(scope="session")
def shared_hasty_emulator() -> Iterator[Emulator]:
    emulator = Emulator("--token-life", "4s", "--refresh-after", "2s")
    yield emulator
    emulator.stop()


@pytest.fixture
def hasty_emulator(shared_hasty_emulator: Emulator) -> Iterator[Emulator]:
    """An emulator whose aml_tokens live four seconds."""
    yield shared_hasty_emulator
    shared_hasty_emulator.calm()


@pytest.fixture(scope="session")
def hasty_agent(shared_hasty_emulator: Emulator) -> Iterator[Agent]:
    """A warm agent that asks the hasty emulator."""
    agent = Agent(shared_hasty_emulator.workspace, env=shared_hasty_emulator.env)
    agent.ping()
    yield agent
    agent.close()

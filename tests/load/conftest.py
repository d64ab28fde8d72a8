"""The hub as tests here see it: nothing may go wrong in it unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from gevent import get_hub

from tests.load.engine.wiring import Wiring
from tests.load.wire.authority import Authority


@pytest.fixture(autouse=True)
def hub_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Whatever was raised in the hub's own callbacks: gevent prints it and goes on, a test must not."""
    hub = get_hub()
    errors: list[BaseException] = []
    show = hub.print_exception

    def note(context: Any, kind: Any, value: Any, trace: Any) -> None:
        errors.append(value)
        show(context, kind, value, trace)

    monkeypatch.setattr(hub, "print_exception", note)
    yield errors
    assert errors == []


@pytest.fixture
def wiring() -> Iterator[Wiring]:
    made = Wiring()
    made.watch.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority nobody trusts but these tests."""
    return Authority(trustme.CA(), tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 MB that do not compress."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    path.write_bytes(bytes(range(251)) * (10_000_000 // 251) + bytes(10_000_000 % 251))
    return path

"""The wire against the emulator: what the other room believes of HTTP is what this one speaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.process import EmulatorProcess, emulator
from tests.load.engine.wiring import Wiring, request_of


@pytest.fixture(scope="module")
def running() -> Iterator[EmulatorProcess]:
    with emulator("--service-zero") as process:
        yield process


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("mode", ["key", "aml_token", "aad_token"])
def test_scores(mode: str, plain: bool, running: EmulatorProcess, wiring: Wiring) -> None:
    """In the clear and over TLS, on a kept connection, with the server's own time."""
    uri = running.said["scoring_uri" if plain else "scoring_uri_tls"][mode]
    connection = wiring.connection(uri, ca_file=running.said["ca_file"])
    headers = f"Authorization: Bearer {running.secret(mode)}\r\n"
    for turn in range(3):
        request = request_of(b'{"data": [[1, 2]]}', path=connection._address.path, headers=headers)
        seen = wiring.ask(connection, request)
        assert (seen.failure, seen.status, seen.connected, seen.kept) == ("", 200, turn == 0, True)
        assert float(connection.answer.server_time_ms) >= 0
        assert connection.answer.deployment


def test_a_wrong_key_is_refused(running: EmulatorProcess, wiring: Wiring) -> None:
    """401 is an answer, and its text is kept."""
    connection = wiring.connection(running.said["scoring_uri"]["key"])
    path = connection._address.path
    seen = wiring.ask(connection, request_of(path=path, headers="Authorization: Bearer wrong\r\n"))
    assert (seen.failure, seen.status, seen.kept) == ("", 401, True)
    assert connection.answer.body_start == b"key_auth_access_denied"

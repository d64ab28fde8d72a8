"""Every row of the table, done to `bench doctor` and to `bench run`; on both control planes where it concerns one.

The page of the guide is the table: it and the program cannot differ without a failure here.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from bench.commands import doctor, run
from bench.credentials import Failure, PlainAgent
from bench.load.wire import reach
from tests.azure_stub.plane import serving
from tests.credentials.agent.programs import failing, sign_in_with, write_program
from tests.credentials.table.hearing import Heard, asking, hear
from tests.credentials.table.page import PAGE, page
from tests.credentials.table.planes import EmulatorPlane, StubPlane
from tests.credentials.table.rows import ARM, ENTRA, NOTES, OPTIONS, SECTIONS, SIGN_IN, STATES, TROUBLE, WAY, Row
from tests.target import certificates

COMMANDS = {"doctor": doctor, "run": run}
QUICK = ("--start-timeout", "300ms")
_FOREIGN = re.compile(r"AZURE|IDENTITY_|MSI_|BENCH_|_PROXY$|_proxy$|CA_BUNDLE|SSL_CERT")

on_planes = pytest.mark.parametrize("plane", ["emulator_plane", "stub_plane"])
with_both = pytest.mark.parametrize("command", COMMANDS)


def named(rows: tuple[Row, ...]) -> Any:
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.given) for row in rows])


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str]) -> None:
    """No variable of this machine's, no config.json above, and one authority, which is read in no time."""
    for name in [name for name in os.environ if _FOREIGN.search(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", files["strange_ca"])
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def emulator_plane(emulator: Any, agent: Any) -> EmulatorPlane:
    return EmulatorPlane(emulator, agent)


@pytest.fixture(scope="module")
def warm_stub() -> Iterator[StubPlane]:
    with serving() as stub:
        agent = PlainAgent(StubPlane.workspace, env=stub.env)
        agent.ping()
        yield StubPlane(stub, agent)
        agent.close()


@pytest.fixture
def stub_plane(warm_stub: StubPlane) -> Iterator[StubPlane]:
    yield warm_stub
    warm_stub.recover()


def check(row: Row, heard: Heard) -> None:
    """The exit code, the sentence and the cure."""
    assert heard.code == row.code, heard
    if row.code == 0:
        assert _pattern(row.says).search(heard.said), heard.said
        return
    cure = f" ({row.cure})" if row.cure else ""
    sentence = row.says + cure
    at_once = row.says.removesuffix("; ... attempts in ... s") + cure  # a slow machine has no time for a second one
    error = heard.error.removeprefix("no credential in time: ")
    assert _pattern(sentence).fullmatch(error) or _pattern(at_once).fullmatch(error), f"{error}\nis not\n{sentence}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("..."))), re.DOTALL)


def options_of(plane: Any) -> list[str]:
    place = plane.workspace
    return [
        *("--subscription-id", place.subscription_id, "--resource-group", place.resource_group),
        *("--workspace", place.workspace_name, *QUICK),
    ]


@on_planes
@with_both
@named((*TROUBLE, *ENTRA, *ARM, *STATES, *NOTES))
def test_on_a_plane(row: Row, command: str, plane: str, request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Entra and ARM say."""
    found = request.getfixturevalue(plane)
    if not found.knows(row):
        pytest.skip("this plane cannot say that")
    found.make_trouble(row)
    words = [word.format(**found.places) for word in row.words]
    with asking(found.agent, monkeypatch):
        check(row, hear(COMMANDS[command], [*words, *options_of(found)]))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Client certificates of every kind."""
    folder = tmp_path_factory.mktemp("certificates")
    ca, strange = trustme.CA(), trustme.CA()
    mine, old = certificates.issued(ca, folder, "mine"), certificates.issued(ca, folder, "old", expired=True)
    other = certificates.issued(strange, folder, "other")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    strange.cert_pem.write_to_path(folder / "strange.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return {
        "gone": str(folder / "gone"),
        "ca": str(folder / "ca.pem"),
        "strange_ca": str(folder / "strange.pem"),
        "server": str(folder / "server.pem"),
        "cert": str(mine.certificate),
        "key": str(mine.key),
        "encrypted": str(certificates.encrypted(mine.key)),
        "other": str(other.certificate),
        "other_key": str(other.key),
        "old_cert": str(old.certificate),
        "old_key": str(old.key),
    }


@with_both
@named(OPTIONS)
def test_options(
    row: Row, command: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked: what is wrong is said first, by both in the same words."""
    for name, value in row.env.items():
        if name == "config.json":
            (tmp_path / name).write_text(value)
        else:
            monkeypatch.setenv(name, value.format(**files))
    words = [word.format(**files) for word in row.words if word != "--nowhere"]
    if "--endpoint" in words and "--nowhere" not in row.words:
        words += ["--subscription-id", "s", "--resource-group", "g", "--workspace", "w"]
    with asking(None, monkeypatch):
        check(row, hear(COMMANDS[command], words))


class _Refused:
    """An agent that has one answer to everything."""

    def __init__(self, failure: Failure) -> None:
        self.asked_by = lambda: failure
        self.described = lambda _: failure
        self.fetch = lambda *_, **__: failure


@named(SIGN_IN)
def test_sign_in(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real azure-identity, its chain not pinned, and programs that print what the real ones do."""
    variables = {}
    for name, value in row.env.items():
        if name.islower():
            write_program(tmp_path, name, failing(value))
        else:
            variables[name] = value
    failure = sign_in_with(tmp_path, **variables)
    assert isinstance(failure, Failure)
    assert "hunter2" not in failure.error().describe()
    place = ["--subscription-id", "s", "--resource-group", "g", "--workspace", "w", *QUICK]
    for command in COMMANDS.values():
        with asking(_Refused(failure), monkeypatch):
            check(row, hear(command, ["--endpoint", "e", *place]))


@pytest.fixture
def servers(files: dict[str, str]) -> Iterator[dict[str, str]]:
    """An ingress that sends on, one with a company's certificate, one that asks for the client's."""
    plain, asking_too = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    for context in (plain, asking_too):
        context.load_cert_chain(files["server"])
    certificates.asking(asking_too, files["ca"])
    listening = {name: socket.create_server(("127.0.0.1", 0)) for name in ("redirect", "tls", "asking")}
    threads = [
        threading.Thread(target=_serve, args=(listening[name], context), daemon=True)
        for name, context in (("redirect", None), ("tls", plain), ("asking", asking_too))
    ]
    for thread in threads:
        thread.start()
    ports = {name: server.getsockname()[1] for name, server in listening.items()}
    yield {name: f"http{'' if name == 'redirect' else 's'}://127.0.0.1:{port}/score" for name, port in ports.items()}
    for server in listening.values():
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join()


def _serve(server: socket.socket, context: ssl.SSLContext | None) -> None:
    answer = b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://h/score\r\nContent-Length: 0\r\n\r\n"
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            try:
                secured = connection if context is None else context.wrap_socket(connection, server_side=True)
                secured.recv(1000)
                secured.sendall(answer)
            except OSError:
                continue


@named(WAY)
def test_the_way(row: Row, files: dict[str, str], servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sockets; the doctor alone sends nothing that a run would."""
    monkeypatch.setattr(reach, "_ALERT_TIMEOUT_S", 20.0)
    for name, value in row.env.items():
        monkeypatch.setenv(name, value)
    words = [word.format(**files, **servers) for word in row.words]
    check(row, hear(doctor, words))


def test_the_page_is_the_table() -> None:
    """Made by `python -m tests.credentials.table.page`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_it_is_long_enough() -> None:
    """Sixty inputs at least, none twice, and each with something to do or something to know."""
    rows = [row for _, _, section in SECTIONS for row in section]
    assert len(rows) >= 60
    assert len({row.given for row in rows}) == len(rows)

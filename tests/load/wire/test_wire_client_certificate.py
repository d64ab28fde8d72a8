"""mTLS: the certificate is shown to a server that asks, on every connection; without one the failure says so."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from bench.credentials import doctor
from bench.credentials.doctor import Check
from bench.errors import RunInvalid, UsageError
from bench.load.wire import reach
from bench.load.wire.address import parse_address
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate
from tests.load.engine.wiring import Wiring
from tests.load.wire.authority import Authority
from tests.load.wire.scripted import OK, answering, scripted
from tests.target.certificates import asking, issued

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def reachable(uri: str, *, ca_file: str = "", client: ClientCertificate = NO_CERTIFICATE) -> Check:
    """As the doctor looks."""
    return doctor.reachable(uri, ca_file, client, reach.reachable_line)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a busy machine may take to say no."""
    monkeypatch.setattr(reach, "_ALERT_TIMEOUT_S", 20.0)


@pytest.fixture
def mine(authority: Authority, tmp_path: Path) -> ClientCertificate:
    return authority.client(tmp_path).client


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_shown(version: ssl.TLSVersion, wiring: Wiring, authority: Authority, mine: ClientCertificate) -> None:
    """And the doctor finds all well."""
    context = asking(authority.certificate("127.0.0.1").server_context(), authority.ca_file, version)
    with scripted(answering(OK), tls=context) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file, client=mine))
        assert (seen.failure, seen.status) == ("", 200)
        assert reachable(server.uri, ca_file=authority.ca_file, client=mine).ok


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("version", VERSIONS)
def test_without_one(version: ssl.TLSVersion, wiring: Wiring, authority: Authority) -> None:
    """A failure, and the doctor says why. In TLS 1.3 the server says so after the handshake: it waits for that."""
    context = asking(authority.certificate("127.0.0.1").server_context(), authority.ca_file, version)
    with scripted(answering(OK), tls=context) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file))
        assert seen.status == 0
        late = version is ssl.TLSVersion.TLSv1_3  # the request may be on its way when the server says no
        assert seen.failure in ({"tls", "reset", "closed"} if late else {"tls"})
        check = reachable(server.uri, ca_file=authority.ca_file)
    assert isinstance(check.error, RunInvalid)
    assert "asks for a client certificate and got none" in check.error.message
    assert "--client-cert" in check.error.hint


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("version", VERSIONS)
def test_one_of_another_authority(version: ssl.TLSVersion, authority: Authority, tmp_path: Path) -> None:
    """What is refused is this client's, not the server's: another cure."""
    strange = issued(trustme.CA(), tmp_path, "strange").client
    context = asking(authority.certificate("127.0.0.1").server_context(), authority.ca_file, version)
    with scripted(answering(OK), tls=context) as server:
        check = reachable(server.uri, ca_file=authority.ca_file, client=strange)
    assert isinstance(check.error, RunInvalid)
    assert "refuses the certificate of --client-cert" in check.error.message


def test_plain_http_shows_nothing(mine: ClientCertificate) -> None:
    """An option that would do nothing is refused."""
    with pytest.raises(UsageError, match="over TLS only"):
        parse_address("http://127.0.0.1:9/score", client=mine)
    assert isinstance(reachable("http://127.0.0.1:9/score", client=mine).error, UsageError)

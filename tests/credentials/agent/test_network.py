"""A company's network: its certificate authority and its proxy, for ARM and Entra (D14)."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.credentials import Failure, FailureKind, PlainAgent
from bench.endpoint import SignIn
from tests import tinyproxy


@pytest.fixture
def company(emulator, monkeypatch) -> dict[str, str]:
    """ARM and Entra behind TLS that nobody but the company's authority vouches for."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    facts = emulator.facts["entra"]
    return {
        "AZUREML_DEV_URL_MFE": emulator.facts["control_plane_tls"],
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AZURE_AUTHORITY_HOST": facts["authority"],
        "AZURE_TENANT_ID": facts["tenant_id"],
        "AZURE_CLIENT_ID": facts["client_id"],
        "AZURE_CLIENT_SECRET": facts["client_secret"],
        "NO_PROXY": "127.0.0.1",
    }


def described(emulator, environment: dict[str, str], *, ca_file: str = ""):
    agent = PlainAgent(emulator.workspace, env=environment, sign_in=SignIn(ca_file=ca_file))
    with closing(agent):
        return agent.described("ep-key")


def test_without_the_authority_nobody_is_believed(emulator, company):
    """What to give is said."""
    failure = described(emulator, company)
    assert isinstance(failure, Failure)
    assert failure.kind in (FailureKind.IDENTITY, FailureKind.NETWORK)
    assert "certificate" in failure.error().describe().lower()


@pytest.mark.parametrize("source", ["--ca-file", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_authority_from_wherever_it_comes(emulator, company, source):
    """The option adds, the variables replace: for Entra and for ARM."""
    ca_file = emulator.facts["ca_file"]
    if source == "--ca-file":
        assert described(emulator, company, ca_file=ca_file).name == "ep-key"
    else:
        assert described(emulator, {**company, source: ca_file}).name == "ep-key"


@pytest.mark.skipif(tinyproxy.BINARY is None, reason=tinyproxy.MISSING)
def test_through_a_proxy(emulator, company, tmp_path: Path):
    """Both go through it."""
    with tinyproxy.tinyproxy(tmp_path) as proxy:
        environment = {**company, "HTTPS_PROXY": proxy.uri, "NO_PROXY": "example.org", "no_proxy": "example.org"}
        assert described(emulator, environment, ca_file=emulator.facts["ca_file"]).name == "ep-key"
        for uri in (emulator.facts["control_plane_tls"], emulator.facts["entra"]["authority"]):
            assert proxy.tunnels_to(urlsplit(uri).port) >= 1

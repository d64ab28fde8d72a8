"""A cloud that only ARM_CLOUD_METADATA_URL knows, as azure-ai-ml finds it; one agent a case."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bench.credentials import Failure, FailureKind, Grant, PlainAgent
from bench.endpoint import AuthMode, SignIn
from bench.target.spec import sign_in_of
from tests.azure_stub.plane import PLACE, Stub, serving


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as running:
        running.clouds = [cloud("Elsewhere", "https://arm.elsewhere.example"), cloud("Sovereign", running.origin)]
        yield running


def cloud(name: str, manager: str) -> dict[str, Any]:
    """As ARM lists one."""
    return {
        "name": name,
        "portal": "https://portal.azure.sovereign",
        "resourceManager": manager,
        "authentication": {"loginEndpoint": "https://login.sovereign.example"},
        "suffixes": {"storage": "core.sovereign.example"},
    }


def asked(stub: Stub, name: str, **env: str) -> Failure | Grant:
    """The Entra token for scoring, whose audience is the cloud's; before it a key, with a token for its ARM."""
    address = f"{stub.origin}/metadata/endpoints?api-version=2022-09-01"
    environment = {**stub.env, "ARM_CLOUD_METADATA_URL": address, **env}
    with closing(PlainAgent(PLACE, env=environment, sign_in=SignIn(cloud=name))) as agent:
        key = agent.fetch("ep", AuthMode.KEY)
        return key if isinstance(key, Failure) else agent.fetch("ep", AuthMode.AAD_TOKEN)


def test_its_scopes_are_its_own(stub: Stub) -> None:
    """Without a name it is the one whose manager stands in the address."""
    granted = asked(stub, "")
    assert isinstance(granted, Grant), granted
    assert granted.secrets == ("token-for https://ml.azure.sovereign",)


def test_one_that_is_not_listed(stub: Stub) -> None:
    """Exit 2, with those there are."""
    failure = asked(stub, "Atlantis")
    assert isinstance(failure, Failure)
    assert failure.error().exit_code == 2
    assert "'Atlantis' is not among Elsewhere, Sovereign" in failure.message


def test_a_list_that_cannot_be_read(stub: Stub) -> None:
    """Not public Azure instead, as azure-ai-ml takes it."""
    stub.clouds = "no list"
    failure = asked(stub, "")
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.NOT_FOUND
    assert "ARM_CLOUD_METADATA_URL" in failure.message


def test_a_government_cloud(stub: Stub) -> None:
    """Both audiences are its own: this plane takes no other (D10)."""
    stub.manager = "https://management.usgovcloudapi.net"
    with closing(PlainAgent(PLACE, env=stub.env, sign_in=SignIn(cloud="AzureUSGovernment"))) as agent:
        assert isinstance(agent.fetch("ep", AuthMode.KEY), Grant)
        assert agent.fetch("ep", AuthMode.AAD_TOKEN).secrets == ("token-for https://ml.azure.us",)


def test_options_leave_the_choice_to_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the list says what clouds there are, a name is not refused before it was read."""
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "https://x/metadata")
    monkeypatch.delenv("AZUREML_CURRENT_CLOUD", raising=False)
    assert sign_in_of({"cloud": "Sovereign"}).cloud == "Sovereign"
    assert sign_in_of({}).cloud == ""

"""The agent against a control plane that was written from the contract alone: the rows of D that are cheap here."""

from collections.abc import Iterator

import pytest

from bench.credentials import Failure, FailureKind, Grant, PlainAgent
from bench.credentials.doctor import EndpointTarget, run_checks
from bench.credentials.patience import Patience
from bench.endpoint import AuthMode
from bench.load.wire.reach import reachable_line
from tests.azure_stub.plane import BASE, PLACE, Stub, serving
from tests.credentials.agent.programs import NOT_LOGGED_IN, failing, sign_in_with, write_program

MODES = {AuthMode.KEY: "Key", AuthMode.AML_TOKEN: "AMLToken", AuthMode.AAD_TOKEN: "AADToken"}
DENIED = (
    "The client 'c' with object id 'o' does not have authorization to perform action "
    "'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/{action}' over scope '/subscriptions/s' or the "
    "scope is invalid. If access was recently granted, please refresh your credentials."
)


@pytest.fixture(scope="module")
def plane() -> Iterator[Stub]:
    with serving() as stub:
        yield stub


@pytest.fixture(scope="module")
def warm(plane: Stub) -> Iterator[PlainAgent]:
    agent = PlainAgent(PLACE, env=plane.env)
    agent.ping()
    yield agent
    agent.close()


@pytest.fixture
def stub(plane: Stub) -> Stub:
    """The plane as it was made."""
    fresh = Stub()
    plane.__dict__.update({**fresh.__dict__, "origin": plane.origin})
    return plane


@pytest.fixture
def asked(warm: PlainAgent, stub: Stub) -> PlainAgent:
    return warm


def refuse(method: str, ending: str, status: int, code: str, message: str, **headers: str):
    """A script that answers one kind of request with an error."""

    def script(seen: str, path: str):
        if seen == method and path.lower().endswith(ending.lower()):
            return status, {name.replace("_", "-"): value for name, value in headers.items()}, _body(code, message)
        return None

    return script


def _body(code: str, message: str):
    return {"error": {"code": code, "message": message}} if code else message


@pytest.mark.parametrize("mode", MODES)
def test_describe_and_fetch(asked, stub, mode):
    """Mode, state, traffic, secret: as the contract writes them, with the smallest bodies it allows."""
    stub.mode = MODES[mode]
    endpoint = asked.described("ep")
    assert (endpoint.auth_mode, endpoint.state, endpoint.traffic) == (mode, "Succeeded", (("blue", 100),))
    grant = asked.fetch("ep", mode)
    assert isinstance(grant, Grant)
    expected = {AuthMode.KEY: "first-key", AuthMode.AML_TOKEN: "scoring-token"}
    assert grant.secrets[0] == expected.get(mode, "token-for https://ml.azure.com")


def test_deployments_may_be_refused(asked, stub):
    """The 403's own words, from a public issue (D1)."""
    denied = DENIED.format(action="deployments/read")
    stub.script = refuse("GET", "/deployments", 403, "AuthorizationFailed", denied)
    assert asked.described("ep").deployments is None


@pytest.mark.parametrize("mode", [AuthMode.KEY, AuthMode.AML_TOKEN])
def test_the_least_role(asked, stub, mode):
    """One POST is all that is asked (D1)."""
    denied = DENIED.format(action="read")
    stub.script = lambda method, path: (
        (403, {}, _body("AuthorizationFailed", denied)) if method == "GET" and path.startswith(BASE) else None
    )
    assert isinstance(asked.fetch("ep", mode, reads=False), Grant)
    assert [one for one in stub.asked if one != "identity"] in (["POST listkeys"], ["POST token"])
    failure = asked.fetch("ep", mode)
    assert (failure.kind, failure.action.endswith("onlineEndpoints/read")) == (FailureKind.PERMISSION, True)


@pytest.mark.parametrize(
    ("status", "code", "message", "headers", "kind", "says", "retry_after_s"),
    [
        (
            *(429, "SubscriptionRequestsThrottled", "Number of requests exceeded. Please try again after '6' seconds."),
            *({}, FailureKind.THROTTLED, "throttles", 6.0),
        ),
        (
            *(429, "ResourceRequestsThrottled", "Please try again after '372' seconds.", {"Retry_After": "17"}),
            *(FailureKind.THROTTLED, "ResourceRequestsThrottled", 17.0),
        ),
        (503, "ServiceUnavailable", "busy", {"Retry_After": "2"}, FailureKind.UNAVAILABLE, "503", 2.0),
        (502, "", "<html>bad gateway</html>", {"Content_Type": "text/html"}, FailureKind.UNAVAILABLE, "502", None),
        (
            403,
            "",
            "<html>blocked</html>",
            {"Content_Type": "text/html"},
            FailureKind.NETWORK,
            "a page of its own",
            None,
        ),
        (403, "RequestDisallowedByPolicy", "p", {}, FailureKind.FORBIDDEN, "an Azure Policy forbids it: p", None),
        (409, "ScopeLocked", "locked by 'l'", {}, FailureKind.FORBIDDEN, "locked by 'l'", None),
        (404, "SubscriptionNotFound", "s", {}, FailureKind.NOT_FOUND, "no such subscription", None),
        (404, "ResourceGroupNotFound", "g", {}, FailureKind.NOT_FOUND, "no such resource group", None),
        (403, "SomethingNew", "of tomorrow", {}, FailureKind.FORBIDDEN, "of tomorrow", None),
    ],
)
def test_errors(asked, stub, status, code, message, headers, kind, says, retry_after_s):
    """By their own code, with ARM's words; a new one is not put down to a role (D7, D8)."""
    stub.script = refuse("POST", "/listKeys", status, code, message, **headers)
    failure = asked.fetch("ep", AuthMode.KEY)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retry_after_s) == (kind, retry_after_s)
    assert says in failure.message


def test_a_kubernetes_endpoint(asked, stub):
    """It has a compute, a path of its own, and deployments without request settings."""
    stub.endpoint_extra = {"compute": "/c", "scoringUri": "http://10.0.0.1/api/v1/endpoint/ep/score", "traffic": {}}
    endpoint = asked.described("ep")
    assert endpoint.scoring_uri.endswith("/api/v1/endpoint/ep/score")
    assert endpoint.traffic == (("blue", 0),)


@pytest.mark.parametrize("value", [None, [], "x", {"authMode": 3}])
def test_an_answer_that_is_no_endpoint(asked, stub, value):
    """One line, no traceback, and the agent lives on."""
    answer = (200, {}, {"name": "ep", "properties": value})
    stub.script = lambda method, path: answer if method == "GET" and path.endswith("/ep") else None
    failure = asked.described("ep")
    assert failure.kind is FailureKind.MALFORMED
    stub.script = lambda _method, _path: None
    assert asked.described("ep").name == "ep"


def test_the_doctor_waits_and_is_content(asked, stub):
    """Busy three times, then well (D2)."""
    left = [3]

    def script(method: str, path: str):
        if path.startswith(BASE) and left[0]:
            left[0] -= 1
            return 503, {}, _body("ServiceUnavailable", "busy")
        return None

    stub.script = script
    said: list[str] = []
    patience = Patience(timeout_s=600, sleep=lambda _seconds: None, say=said.append)
    report = run_checks(EndpointTarget(agent=asked, endpoint="ep", patience=patience), reachable_line)
    assert report.error is None
    assert left == [0]
    assert "503" in said[0]


def test_a_serverless_endpoint(asked, stub):
    """Its keys through the SDK, with no read of ARM before them; it has no deployments."""
    endpoint = asked.described("serverless/model")
    assert (endpoint.auth_mode, endpoint.state, endpoint.scoring_uri) == ("key", "Succeeded", f"{stub.origin}/score")
    stub.asked.clear()
    for reads in (True, False):
        assert asked.fetch("serverless/model", AuthMode.KEY, reads=reads).secrets == ("first-key", "second-key")
    assert stub.asked == ["POST serverless keys"] * 2
    patience = Patience(timeout_s=0, sleep=lambda _seconds: None, say=lambda _: None)
    report = run_checks(EndpointTarget(agent=asked, endpoint="serverless/model", patience=patience), reachable_line)
    assert [check.name for check in report.checks if not check.ok] == []
    pinned = EndpointTarget(agent=asked, endpoint="serverless/model", patience=patience, deployment="blue")
    assert "has no deployments" in str(run_checks(pinned, reachable_line).error)


def test_a_serverless_endpoint_of_another_mode(asked, stub):
    """What nobody here knows how to ask for is one line."""
    stub.mode = "AAD"
    assert asked.described("serverless/model").kind is FailureKind.MALFORMED


def test_a_pinned_deployment_needs_no_traffic(asked, stub):
    """It is the one that is looked at (D12)."""
    stub.endpoint_extra = {"traffic": {"green": 100}}
    patience = Patience(timeout_s=0, sleep=lambda _seconds: None, say=lambda _: None)
    report = run_checks(
        EndpointTarget(agent=asked, endpoint="ep", patience=patience, deployment="blue"), reachable_line
    )
    assert report.error is None
    assert any("blue pinned" in check.detail for check in report.checks)


def test_a_machine_without_identity(stub, tmp_path):
    """The metadata service's 400 is its own, and the login comes first (D4)."""
    refusal = (400, {}, {"error": "invalid_request", "error_description": "Identity not found"})
    stub.script = lambda _method, path: refusal if path.startswith("/metadata/") else None
    write_program(tmp_path, "az", failing(NOT_LOGGED_IN))
    failure = sign_in_with(tmp_path, AZURE_POD_IDENTITY_AUTHORITY_HOST=stub.origin)
    assert "AzureCliCredential: nobody is logged in to az" in failure.message
    assert "400" not in failure.message.partition("ManagedIdentityCredential")[0]
    assert failure.hint == "log in with `az login`"

"""The doctor: what can be known without scoring, in the order in which things depend on each other."""

import socket
import threading
import time

import pytest

from bench.credentials import doctor
from bench.credentials.doctor import Check, EndpointTarget, Report, StaticTarget, run_checks
from bench.credentials.patience import Patience
from bench.endpoint import AuthMode
from bench.errors import CredentialError, PermissionMissing, RunInvalid, UsageError
from bench.load.wire.reach import reachable_line
from bench.target.client_certificate import NO_CERTIFICATE

MODES = list(AuthMode)


def looks(report: Report) -> list[tuple[str, bool]]:
    return [(check.name, check.ok) for check in report.checks]


def reachable(uri: str, ca_file: str = "") -> Check:
    return doctor.reachable(uri, ca_file, NO_CERTIFICATE, reachable_line)


HASTY = Patience(timeout_s=0, sleep=time.sleep, say=lambda _: None)


def examine(agent, emulator, mode: AuthMode, **options) -> Report:
    target = {"agent": agent, "endpoint": emulator.endpoint(mode), "patience": HASTY} | options
    return run_checks(EndpointTarget(**target), reachable_line)


class TestEndpoint:
    @pytest.mark.parametrize("mode", MODES)
    def test_healthy(self, agent, emulator, mode):
        """Principal, endpoint, auth mode, credential, traffic, scoring URI: all well, no secret shown."""
        report = examine(agent, emulator, mode, auth_mode=mode)
        names = ["principal", "endpoint", "auth mode", "credential", "traffic", "scoring URI"]
        assert looks(report) == [(name, True) for name in names]
        assert report.error is None
        secret = agent.fetch(emulator.endpoint(mode), mode).secrets[-1]
        assert secret not in repr(report)

    @pytest.mark.parametrize(
        ("mode", "action"), [(AuthMode.KEY, "listkeys/action"), (AuthMode.AML_TOKEN, "token/action")]
    )
    def test_missing_role_is_named(self, agent, emulator, mode, action):
        """Exit 3, one line with the action and the roles that carry it; the rest is looked at too."""
        emulator.fault(do="deny", action=action)
        report = examine(agent, emulator, mode)
        assert [name for name, ok in looks(report) if not ok] == ["credential"]
        assert isinstance(report.error, PermissionMissing)
        assert report.error.exit_code == 3
        assert report.error.action.lower().endswith(f"onlineendpoints/{action}")
        assert "AzureML Data Scientist" in report.error.describe()

    def test_missing_read_ends_it(self, agent, emulator):
        """Without the endpoint there is nothing further to look at."""
        emulator.fault(do="deny", action="read")
        report = examine(agent, emulator, AuthMode.KEY)
        assert looks(report) == [("principal", True), ("endpoint", False)]
        assert report.error.action.endswith("onlineEndpoints/read")

    def test_unknown_endpoint(self, agent):
        """Exit 2, naming the workspace that was searched."""
        report = run_checks(EndpointTarget(agent=agent, endpoint="nowhere", patience=HASTY), reachable_line)
        assert isinstance(report.error, UsageError)
        assert "workspace 'emulator'" in report.error.describe()

    def test_no_identity_ends_it(self, agent, emulator):
        """Nobody can be asked anything."""
        emulator.fault(do="identity", answer="401")
        emulator.fault(do="revoke_tokens", tokens="arm")
        agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)  # forgets the token that identity gave before
        report = examine(agent, emulator, AuthMode.KEY)
        assert looks(report) == [("principal", False)]
        assert isinstance(report.error, CredentialError)

    def test_other_auth_mode_than_wanted(self, agent, emulator):
        """Exit 2, naming the endpoint's own; the credential is looked at all the same."""
        report = examine(agent, emulator, AuthMode.KEY, auth_mode=AuthMode.AML_TOKEN)
        assert [name for name, ok in looks(report) if not ok] == ["auth mode"]
        assert isinstance(report.error, UsageError)
        assert "--auth-mode key" in report.error.hint

    def test_it_goes_on_asking(self, agent, emulator):
        """A 503 in the first seconds is waited for, and said (D2)."""
        emulator.fault(do="arm", answer="503")
        said = []

        def calm_when_it_has_waited(_seconds: float) -> None:
            if said:
                emulator.calm()

        patience = Patience(timeout_s=600, sleep=calm_when_it_has_waited, say=said.append)
        assert examine(agent, emulator, AuthMode.KEY, patience=patience).error is None
        assert "503" in said[0]
        assert "waiting for Azure" in said[0]

    def test_deployments_may_be_secret(self, agent, emulator):
        """Without deployments/read the rest is found, and that they are unknown is said (D1)."""
        emulator.fault(do="deny", action="deployments/read")
        report = examine(agent, emulator, AuthMode.KEY)
        assert report.error is None
        assert "may not be listed" in next(check.detail for check in report.checks if check.is_note)

    @pytest.mark.parametrize("mode", [AuthMode.KEY, AuthMode.AML_TOKEN])
    def test_the_least_role(self, agent, emulator, mode):
        """With a scoring URI nothing is read: listkeys or token alone is enough (D1)."""
        emulator.fault(do="deny", action="read")
        emulator.fault(do="deny", action="deployments/read")
        uri = emulator.facts["scoring_uri"][mode.value]
        before = emulator.calls()
        assert examine(agent, emulator, mode, auth_mode=mode, scoring_uri=uri).error is None
        assert set(emulator.calls() - before) <= {"listkeys", "token", "msi_token"}

    def test_a_serverless_endpoint(self, agent, emulator):
        """Without deployments; a role that is lacking is named as its own."""
        target = EndpointTarget(agent=agent, endpoint="serverless/ep-serverless", patience=HASTY)
        names = ["principal", "endpoint", "auth mode", "credential", "scoring URI"]
        assert looks(run_checks(target, reachable_line)) == [(name, True) for name in names]
        emulator.fault(do="deny", action="serverless/listkeys/action")
        error = run_checks(target, reachable_line).error
        assert isinstance(error, PermissionMissing)
        assert error.action == "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/listKeys/action"

    def test_an_entra_token_needs_nothing_of_arm(self, agent, emulator):
        """With the URI known, only the identity service is asked (D1)."""
        before = emulator.calls()
        uri = emulator.facts["scoring_uri"]["aad_token"]
        report = examine(agent, emulator, AuthMode.AAD_TOKEN, auth_mode=AuthMode.AAD_TOKEN, scoring_uri=uri)
        assert report.error is None
        assert emulator.calls() - before == {"msi_token": 1}

    @pytest.mark.parametrize("state", ["Creating", "Failed", "Deleting", "Canceled"])
    def test_a_state_in_which_it_cannot_answer(self, agent, emulator, state):
        """Exit 4, with the state (D11)."""
        emulator.fault(do="state", to=state)
        report = examine(agent, emulator, AuthMode.KEY)
        assert isinstance(report.error, RunInvalid)
        assert f"is {state}" in report.error.message

    def test_a_deployment_that_failed(self, agent, emulator):
        """Exit 4 (D11)."""
        emulator.fault(do="state", to="Failed", deployment="blue")
        report = examine(agent, emulator, AuthMode.KEY)
        assert "deployment 'blue' of endpoint 'ep-key' is Failed" in report.error.message

    def test_what_is_only_to_be_known(self, agent, emulator):
        """An update, a private network, a time-out below the model's own: noted, and no failure (D11)."""
        emulator.fault(do="state", to="Updating")
        emulator.fault(do="network_access", to="Disabled")
        report = examine(agent, emulator, AuthMode.KEY, timeout_s=0.5)
        assert report.error is None
        notes = " ".join(check.detail for check in report.checks if check.is_note)
        for words in ("being updated", "private network", "--timeout 0.5s is below the 5 s"):
            assert words in notes

    def test_the_pinned_deployment_is_the_one_that_is_looked_at(self, agent, emulator):
        """A name that does not exist is exit 2 and says which do (D12)."""
        report = examine(agent, emulator, AuthMode.KEY, deployment="green")
        assert isinstance(report.error, UsageError)
        assert report.error.describe() == "endpoint 'ep-key' has no deployment 'green' (it has blue)"
        assert examine(agent, emulator, AuthMode.KEY, deployment="Blue").error is None


class TestScoringUri:
    def test_static_target(self, emulator):
        """A secret and a server: both there."""
        target = StaticTarget(scoring_uri=emulator.facts["scoring_uri"]["key"], secret="canary-51")
        report = run_checks(target, reachable_line)
        assert looks(report) == [("credential", True), ("scoring URI", True)]
        assert "canary" not in repr(report) + repr(target)

    def test_no_secret(self, emulator):
        """Exit 2, naming the variables to set."""
        report = run_checks(StaticTarget(scoring_uri=emulator.facts["scoring_uri"]["key"], secret=""), reachable_line)
        assert isinstance(report.error, UsageError)
        assert "BENCH_KEY" in report.error.hint

    def test_nothing_is_scored(self):
        """One OPTIONS without credential or body; a server that does not answer it is well all the same."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert reachable(f"http://127.0.0.1:{server.getsockname()[1]}/score").ok
            connection, _ = server.accept()
            with connection:
                sent = connection.recv(1000)
        assert sent.startswith(b"OPTIONS /score HTTP/1.1\r\n")
        assert sent.endswith(b"\r\n\r\n")
        assert b"authorization" not in sent.lower()

    @pytest.mark.parametrize("status", ["301 Moved", "308 Permanent Redirect"])
    def test_a_redirect_is_not_well(self, status):
        """An ingress that sends http on to https: exit 4, with the place (D18), without what its query may hold."""
        answer = f"HTTP/1.1 {status}\r\nLocation: https://other/score?code=hunter2\r\nContent-Length: 0\r\n\r\n"
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer.encode())

            thread = threading.Thread(target=serve)
            thread.start()
            check = reachable(f"http://127.0.0.1:{server.getsockname()[1]}/score")
            thread.join()
        assert isinstance(check.error, RunInvalid)
        assert f"sends on ({status[:3]}) to https://other/score" in check.error.message
        assert "hunter2" not in check.error.describe()

    def test_nobody_listens(self):
        """Exit 4, with the reason."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        check = reachable(f"http://127.0.0.1:{port}/score")
        assert isinstance(check.error, RunInvalid)
        assert "refused" in check.error.message

    def test_tls_is_verified(self, emulator):
        """An unknown authority is an error that names --ca-file; with the authority's file it is well."""
        uri = emulator.facts["scoring_uri_tls"]["key"]
        doubted = reachable(uri)
        assert isinstance(doubted.error, RunInvalid)
        assert "--ca-file" in doubted.error.hint
        assert "TLSv1.3, verified" in reachable(uri, ca_file=emulator.facts["ca_file"]).detail

    @pytest.mark.parametrize(
        "uri", ["", "score", "ftp://host/score", "http://", "http://host:port/score", "http://[/score"]
    )
    def test_not_a_uri(self, uri):
        """Exit 2."""
        assert isinstance(reachable(uri).error, UsageError)

    def test_ca_file_that_is_none(self):
        """Exit 2, naming the file."""
        check = reachable("https://127.0.0.1/score", ca_file="/nonexistent.pem")
        assert isinstance(check.error, UsageError)
        assert "/nonexistent.pem" in check.error.message

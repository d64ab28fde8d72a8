"""The doctor: what can be known without scoring, in the order in which things depend on each other."""

import socket

import pytest

from bench.credentials.doctor import EndpointTarget, Report, StaticTarget, reachable, run_checks
from bench.endpoint import AuthMode
from bench.errors import CredentialError, PermissionMissing, RunInvalid, UsageError

MODES = list(AuthMode)


def looks(report: Report) -> list[tuple[str, bool]]:
    return [(check.name, check.ok) for check in report.checks]


def examine(agent, emulator, mode: AuthMode, **options) -> Report:
    return run_checks(EndpointTarget(agent=agent, endpoint=emulator.endpoint(mode), **options))


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
        report = run_checks(EndpointTarget(agent=agent, endpoint="nowhere"))
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


class TestScoringUri:
    def test_static_target(self, emulator):
        """A secret and a server: both there."""
        target = StaticTarget(scoring_uri=emulator.facts["scoring_uri"]["key"], secret="canary-51")
        report = run_checks(target)
        assert looks(report) == [("credential", True), ("scoring URI", True)]
        assert "canary" not in repr(report) + repr(target)

    def test_no_secret(self, emulator):
        """Exit 2, naming the variables to set."""
        report = run_checks(StaticTarget(scoring_uri=emulator.facts["scoring_uri"]["key"], secret=""))
        assert isinstance(report.error, UsageError)
        assert "BENCH_KEY" in report.error.hint

    def test_nothing_is_sent(self):
        """One connect; the server reads nothing."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert reachable(f"http://127.0.0.1:{server.getsockname()[1]}/score").ok
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1000) == b""

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

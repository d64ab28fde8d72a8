"""The real agent against the real emulator: azure-identity, azure-ai-ml, HTTP, and what goes wrong with them."""

import os
import subprocess
import sys
from contextlib import closing

import gevent
import pytest

from bench import clock
from bench.credentials import Agent, AgentSource, CredentialManager, Failure, FailureKind, Grant, PlainAgent
from bench.credentials.claims import claims_of
from bench.credentials.lease import NEVER_NS, NS_PER_S
from bench.endpoint import AuthMode
from bench.errors import CredentialError, PermissionMissing, UsageError
from tests.credentials.emulated import Emulator

MODES = list(AuthMode)


def manager_of(agent: Agent, emulator: Emulator, mode: AuthMode, **options) -> CredentialManager:
    return CredentialManager(AgentSource(agent, endpoint=emulator.endpoint(mode), auth_mode=mode), **options)


def wait_until(at_ns: int) -> None:
    while (early_ns := at_ns - clock.monotonic_ns()) > 0:
        gevent.sleep(early_ns / NS_PER_S)


def life_left_s(grant: Grant) -> float:
    return (grant.valid.expires_at - clock.monotonic_ns()) / NS_PER_S


class TestModes:
    @pytest.mark.parametrize("mode", MODES)
    def test_lease_scores(self, agent, emulator, mode):
        """The credential of each auth mode is taken by the data plane."""
        lease = manager_of(agent, emulator, mode).lease()
        assert lease.auth_mode is mode
        assert emulator.score(mode, lease.headers) == 200

    @pytest.mark.parametrize("mode", MODES)
    def test_describe(self, agent, emulator, mode):
        """Auth mode, scoring URI and traffic, as ARM says them."""
        endpoint = agent.describe(emulator.endpoint(mode))
        assert endpoint.auth_mode is mode
        assert endpoint.scoring_uri == emulator.facts["scoring_uri"][mode.value]
        assert endpoint.traffic == (("blue", 100),)

    @pytest.mark.parametrize("mode", MODES)
    def test_source_without_a_mode_follows_the_endpoint(self, agent, emulator, mode):
        """Whatever the endpoint uses is fetched."""
        source = AgentSource(agent, endpoint=emulator.endpoint(mode))
        assert CredentialManager(source).lease().auth_mode is mode

    def test_key_comes_with_its_secondary_and_never_ends(self, agent, emulator):
        """Primary first."""
        grant = agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)
        assert len(set(grant.secrets)) == 2
        assert grant.valid.expires_at == NEVER_NS

    def test_refresh_is_one_get_and_one_post(self, agent, emulator):
        """A warm refresh of an aml_token makes no identity call and lists no deployments."""
        agent.fetch(emulator.endpoint(AuthMode.AML_TOKEN), AuthMode.AML_TOKEN)
        before = emulator.calls()
        agent.fetch(emulator.endpoint(AuthMode.AML_TOKEN), AuthMode.AML_TOKEN)
        assert emulator.calls() - before == {"endpoint": 1, "token": 1}

    def test_entra_refresh_asks_nothing_of_arm(self, agent, emulator):
        """And it is really new: MSAL's cache would have handed back the old one."""
        first = agent.fetch(emulator.endpoint(AuthMode.AAD_TOKEN), AuthMode.AAD_TOKEN)
        before = emulator.calls()
        second = agent.fetch(emulator.endpoint(AuthMode.AAD_TOKEN), AuthMode.AAD_TOKEN)
        assert emulator.calls() - before == {"msi_token": 1}
        assert first.secrets != second.secrets

    def test_principal(self, agent):
        """Who asks, by the claims of its own token."""
        claims = agent.principal()
        assert set(claims) >= {"oid", "tid", "appid"}

    def test_arm_token(self, agent, emulator):
        """One for the control plane, of the principal: what a workspace's MLflow API wants."""
        claims = claims_of(agent.arm_token())
        assert claims["aud"].rstrip("/") == "https://management.azure.com"
        assert claims["oid"] == agent.principal()["oid"]

    def test_switched_auth_mode_is_an_error_not_another_measurement(self, agent, emulator):
        """A run that measures keys does not go on with tokens under the name of keys."""
        manager = manager_of(agent, emulator, AuthMode.KEY)
        emulator.fault(do="auth_mode", endpoint="key", to="aml_token")
        with pytest.raises(CredentialError, match="now uses aml_token, this run measures key"):
            manager.lease()


class TestStorms:
    def test_hundred_users_on_an_expired_token_make_one_call(self, hasty_agent, hasty_emulator):
        """The emulator's log shows one `token` call for the flight."""
        manager = manager_of(hasty_agent, hasty_emulator, AuthMode.AML_TOKEN)
        old = manager.lease()
        wait_until(old.expires_at)
        before = hasty_emulator.calls()
        users = [gevent.spawn(manager.lease) for _ in range(100)]
        gevent.joinall(users)
        assert hasty_emulator.calls() - before == {"endpoint": 1, "token": 1}
        assert {user.value.generation for user in users} == {2}
        assert hasty_emulator.score(AuthMode.AML_TOKEN, users[0].value.headers) == 200

    @pytest.mark.parametrize("key", ["primary", "both"])
    def test_rotated_key_is_replaced_by_one_flight(self, agent, emulator, key):
        """100 users get a 401 for the old key; the keys are listed once and all replay with one that works."""
        manager = manager_of(agent, emulator, AuthMode.KEY)
        old = manager.lease()
        emulator.fault(do="rotate_key", key=key)
        assert emulator.score(AuthMode.KEY, old.headers) == 401
        before = emulator.calls()
        users = [gevent.spawn(manager.refused, old, status=401) for _ in range(100)]
        gevent.joinall(users)
        assert emulator.calls() - before == {"endpoint": 1, "listkeys": 1}
        assert emulator.score(AuthMode.KEY, users[0].value.headers) == 200

    @pytest.mark.parametrize("mode", [AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN])
    def test_revoked_token_is_replaced(self, agent, emulator, mode):
        """A token revoked before its end is refused, then renewed and taken."""
        manager = manager_of(agent, emulator, mode)
        old = manager.lease()
        emulator.fault(do="revoke_tokens", tokens=mode.value)
        assert emulator.score(mode, old.headers) == 401
        assert emulator.score(mode, manager.refused(old, status=401).headers) == 200


class TestFaults:
    @pytest.mark.parametrize(
        ("words", "kind", "says"),
        [
            ({"do": "deny", "action": "token/action"}, FailureKind.PERMISSION, "onlineEndpoints/token/action"),
            ({"do": "deny", "action": "read"}, FailureKind.PERMISSION, "onlineEndpoints/read"),
            ({"do": "arm", "answer": "401"}, FailureKind.IDENTITY, "ARM answered 401"),
            ({"do": "arm", "answer": "404"}, FailureKind.NOT_FOUND, "no online endpoint 'ep-aml-token'"),
            ({"do": "arm", "answer": "409"}, FailureKind.UNAVAILABLE, "409 Conflict"),
            ({"do": "arm", "answer": "429"}, FailureKind.THROTTLED, "SubscriptionRequestsThrottled"),
            ({"do": "arm", "answer": "500"}, FailureKind.UNAVAILABLE, "500"),
            ({"do": "arm", "answer": "503"}, FailureKind.UNAVAILABLE, "503"),
            ({"do": "arm", "answer": "policy"}, FailureKind.FORBIDDEN, "an Azure Policy forbids it: Resource 'ep'"),
            ({"do": "arm", "answer": "deny_assignment"}, FailureKind.FORBIDDEN, "a deny assignment forbids it"),
            ({"do": "arm", "answer": "linked"}, FailureKind.FORBIDDEN, "userAssignedIdentities/assign/action"),
            ({"do": "arm", "answer": "locked"}, FailureKind.FORBIDDEN, "listing keys is a write"),
            ({"do": "arm", "answer": "private"}, FailureKind.NETWORK, "in its private network only"),
            ({"do": "arm", "answer": "proxy"}, FailureKind.NETWORK, "403 with a page of its own (squid)"),
            ({"do": "arm", "answer": "disabled_subscription"}, FailureKind.FORBIDDEN, "subscription is disabled"),
            ({"do": "arm", "answer": "tenant"}, FailureKind.IDENTITY, "another tenant"),
            ({"do": "arm", "answer": "no_subscription"}, FailureKind.NOT_FOUND, "no such subscription"),
            ({"do": "arm", "answer": "no_group"}, FailureKind.NOT_FOUND, "no such resource group"),
            ({"do": "arm", "answer": "no_workspace"}, FailureKind.NOT_FOUND, "no workspace 'emulator'"),
            ({"do": "arm", "answer": "malformed"}, FailureKind.MALFORMED, "cannot be read"),
            ({"do": "arm", "answer": "expired_times"}, FailureKind.MALFORMED, "no life left"),
            ({"do": "arm", "answer": "missing_times"}, FailureKind.MALFORMED, "without an expiry"),
            ({"do": "arm", "answer": "drop"}, FailureKind.UNAVAILABLE, "broke off"),
            ({"do": "arm", "answer": "refuse"}, FailureKind.UNAVAILABLE, "the Azure control plane"),
        ],
        ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
    )
    def test_control_plane_failure_is_one_clear_line_and_recovery_is_immediate(
        self, agent, emulator, words, kind, says
    ):
        """Each failure has its kind and says what is wrong; the next fetch after it works."""
        name = emulator.endpoint(AuthMode.AML_TOKEN)
        emulator.fault(**words)
        failure = agent.fetch(name, AuthMode.AML_TOKEN)
        assert isinstance(failure, Failure)
        assert (failure.kind, "\n" in failure.error().describe()) == (kind, False)
        assert says in failure.message
        emulator.calm()
        assert isinstance(agent.fetch(name, AuthMode.AML_TOKEN), Grant)

    @pytest.mark.parametrize("answer", ["400", "401", "429", "500", "503", "malformed", "drop", "refuse"])
    def test_identity_failure_is_not_replayed_from_memory(self, agent, emulator, answer):
        """MSAL would repeat it for up to a minute; here the first fetch after the outage works."""
        name = emulator.endpoint(AuthMode.AAD_TOKEN)
        emulator.fault(do="identity", answer=answer, **({"retry_after": 60} if answer == "429" else {}))
        failure = agent.fetch(name, AuthMode.AAD_TOKEN)
        assert failure.kind is FailureKind.IDENTITY
        assert failure.retry_after_s == (60 if answer == "429" else None)
        emulator.calm()
        before = emulator.calls()
        assert isinstance(agent.fetch(name, AuthMode.AAD_TOKEN), Grant)
        assert emulator.calls() - before == {"msi_token": 1}

    def test_msal_would_have_replayed_it(self, emulator):
        """The control: a bare DefaultAzureCredential repeats a 500 from memory after the service is back."""
        bare = """
import sys
from azure.identity import DefaultAzureCredential
credential = DefaultAzureCredential(retry_total=0)
for _ in sys.stdin:
    try:
        credential.get_token("https://ml.azure.com/.default")
        print("ok", flush=True)
    except Exception:
        print("failed", flush=True)
"""
        with subprocess.Popen(
            [sys.executable, "-c", bare],
            env={**os.environ, **emulator.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:

            def fetch() -> str:
                process.stdin.write("\n")
                process.stdin.flush()
                return process.stdout.readline().strip()

            emulator.fault(do="identity", answer="500")
            assert fetch() == "failed"
            emulator.calm()
            before = emulator.calls()
            assert fetch() == "failed"
            assert emulator.calls() == before

    @pytest.mark.parametrize("answer", ["policy", "deny_assignment", "linked", "locked", "private", "proxy"])
    def test_a_role_is_named_only_where_one_helps(self, agent, emulator, answer):
        """Whoever is sent to an administrator for a role that would not help does not come back (D7)."""
        emulator.fault(do="arm", answer=answer)
        failure = agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)
        assert "Contributor" not in failure.hint
        assert failure.action == ""

    def test_a_provider_that_is_not_registered(self, agent, emulator):
        """Asked by ourselves, for the SDK would try to register it."""
        emulator.fault(do="arm", answer="unregistered")
        failure = agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY, reads=False)
        assert failure.kind is FailureKind.FORBIDDEN
        assert "az provider register" in failure.hint

    def test_another_tenant_is_named(self, agent, emulator):
        """The one that ARM wants is in the hint (D9)."""
        emulator.fault(do="arm", answer="tenant")
        failure = agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)
        assert "az login --tenant 99999999-0000-4000-8000-00000000cafe" in failure.hint
        assert "--tenant-id" in failure.hint

    def test_the_least_role_gets_keys_and_tokens(self, agent, emulator):
        """Without reads only the POST is made (D1); everything else denied, it is granted and scores."""
        for action in ("read", "deployments/read", "workspace/read"):
            emulator.fault(do="deny", action=action)
        for mode, operation in ((AuthMode.KEY, "listkeys"), (AuthMode.AML_TOKEN, "token")):
            before = emulator.calls()
            manager = CredentialManager(
                AgentSource(agent, endpoint=emulator.endpoint(mode), auth_mode=mode, reads=False)
            )
            assert emulator.score(mode, manager.lease().headers) == 200
            assert (emulator.calls() - before)[operation] == 1
            assert (emulator.calls() - before)["endpoint"] == 0

    def test_retries_of_the_sdk_are_off(self, agent, emulator):
        """A 503, which azure-core would try four times, is one call: the policy's back-off is the only one."""
        emulator.fault(do="arm", answer="503")
        before = emulator.calls()
        agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)
        assert emulator.calls() - before == {"endpoint": 1}

    def test_revoked_arm_token_does_not_stick(self, agent, emulator):
        """ARM refuses our own token: the next fetch asks identity for another, and one after an outage of that too."""
        name = emulator.endpoint(AuthMode.KEY)
        agent.principal()  # MSAL has an ARM token in its cache
        agent.fetch(name, AuthMode.KEY)
        emulator.fault(do="revoke_tokens", tokens="arm")
        assert agent.fetch(name, AuthMode.KEY).kind is FailureKind.IDENTITY
        emulator.fault(do="identity", answer="500")
        assert "answered 500" in agent.fetch(name, AuthMode.KEY).message
        emulator.calm()
        assert isinstance(agent.fetch(name, AuthMode.KEY), Grant)

    def test_missing_role_reaches_the_user_with_its_action_and_roles(self, agent, emulator):
        """PermissionMissing names the action and who carries it; one attempt; it ends when the role is back."""
        emulator.fault(do="deny", action="listkeys/action")
        manager = manager_of(agent, emulator, AuthMode.KEY)
        before = emulator.calls()
        with pytest.raises(PermissionMissing) as caught:
            manager.lease()
        assert caught.value.action.lower().endswith("/onlineendpoints/listkeys/action")
        assert "AzureML Data Scientist" in caught.value.describe()
        assert emulator.calls() - before == {"endpoint": 1, "listkeys": 1}
        emulator.calm()
        assert manager.lease().auth_mode is AuthMode.KEY

    def test_outage_shorter_than_the_tokens_life_is_not_noticed(self, hasty_agent, hasty_emulator):
        """STALE during the outage: the old token is served and works; after it the token is renewed behind the back."""
        records = []
        manager = manager_of(hasty_agent, hasty_emulator, AuthMode.AML_TOKEN, on_flight=records.append)
        old = manager.lease()
        wait_until(old.refresh_after)
        hasty_emulator.fault(do="arm", answer="503")
        while len(records) < 3:
            lease = manager.lease()
            assert lease is old
            assert hasty_emulator.score(AuthMode.AML_TOKEN, lease.headers) == 200
            gevent.sleep(0.01)
        hasty_emulator.calm()
        while manager.lease() is old:
            gevent.sleep(0.01)
        assert clock.monotonic_ns() < old.usable_until
        assert {(record["cause"], record["outcome"], record["waiters"]) for record in records[1:-1]} == {
            ("stale", "failed", 0)
        }
        assert (records[-1]["cause"], records[-1]["outcome"]) == ("stale", "ok")


class TestClocks:
    @pytest.mark.parametrize("mode", [AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN])
    @pytest.mark.parametrize("by_s", [600, -600])
    def test_wrong_clock_does_not_change_a_life(self, agent, emulator, mode, by_s):
        """Azure's clock and ours ten minutes apart: an hour's token still lives an hour, to the second of its Date."""
        emulator.fault(do="clock_skew", by=by_s)
        grant = agent.fetch(emulator.endpoint(mode), mode)
        assert 3597 < life_left_s(grant) <= 3600

    def test_absurd_times_are_brought_to_reason(self, agent, emulator):
        """A refresh after the expiry becomes half-life; an expiry in the next century is renewed within a day."""
        name = emulator.endpoint(AuthMode.AML_TOKEN)
        emulator.fault(do="arm", answer="refresh_after_expiry")
        valid = agent.fetch(name, AuthMode.AML_TOKEN).valid
        assert valid.refresh_after - valid.issued_at == (valid.expires_at - valid.issued_at) // 2
        emulator.calm()
        emulator.fault(do="arm", answer="far_times")
        valid = agent.fetch(name, AuthMode.AML_TOKEN).valid
        assert valid.refresh_after - valid.issued_at <= 86400 * NS_PER_S


class TestEntra:
    """EnvironmentCredential against a private authority over TLS; no public discovery service is asked."""

    def environment(self, emulator: Emulator, *, secret: str) -> dict[str, str]:
        entra = emulator.facts["entra"]
        return {
            "AZUREML_DEV_URL_MFE": emulator.env["AZUREML_DEV_URL_MFE"],
            "NO_PROXY": "127.0.0.1",
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            "AZURE_AUTHORITY_HOST": entra["authority"],
            "AZURE_TENANT_ID": entra["tenant_id"],
            "AZURE_CLIENT_ID": entra["client_id"],
            "AZURE_CLIENT_SECRET": secret,
            "REQUESTS_CA_BUNDLE": entra["ca_file"],
        }

    def test_client_secret(self, emulator):
        """It scores, says who it is, and the 400 that MSAL would replay for 60 s is gone with the outage."""
        entra, name = emulator.facts["entra"], emulator.endpoint(AuthMode.AAD_TOKEN)
        environment = self.environment(emulator, secret=entra["client_secret"])
        with closing(PlainAgent(emulator.workspace, env=environment)) as agent:
            emulator.fault(do="identity", answer="400")
            failure = agent.fetch(name, AuthMode.AAD_TOKEN)
            assert failure.kind is FailureKind.IDENTITY
            assert "answered 400" in failure.message
            emulator.calm()
            emulator.fault(do="clock_skew", by=600)
            grant = agent.fetch(name, AuthMode.AAD_TOKEN)
            assert 3597 < life_left_s(grant) <= 3600  # no ARM answer has shown Azure's time yet: Entra's did
            emulator.calm()
            grant = agent.fetch(name, AuthMode.AAD_TOKEN)
            assert emulator.score(AuthMode.AAD_TOKEN, {"Authorization": f"Bearer {grant.secrets[0]}"}) == 200
            assert agent.principal()["appid"] == entra["client_id"]

    def test_wrong_client_secret_is_named(self, emulator):
        """Entra's own code is in the one line, the secret is not."""
        environment = self.environment(emulator, secret="canary-3e8")
        with (
            closing(PlainAgent(emulator.workspace, env=environment)) as agent,
            pytest.raises(CredentialError) as caught,
        ):
            agent.principal()
        assert "AADSTS7000215" in caught.value.describe()
        assert "canary" not in caught.value.describe()


def test_no_login_at_all_says_what_was_tried(emulator):
    """The newcomer's first error: one line about what is not there, and what to do; not a list of nine names."""
    environment = {"AZURE_TOKEN_CREDENTIALS": "dev", "PATH": "/nonexistent", "HOME": "/nonexistent"}
    with closing(PlainAgent(emulator.workspace, env=environment)) as agent, pytest.raises(CredentialError) as caught:
        agent.principal()
    assert caught.value.message.startswith("nobody is signed in here")
    assert "az login" in caught.value.hint
    with closing(PlainAgent(emulator.workspace, env=environment)) as agent, pytest.raises(CredentialError):
        agent.arm_token()


def test_unknown_endpoint_is_a_usage_error(agent):
    """describe of a name ARM does not know: exit 2, naming workspace and resource group."""
    with pytest.raises(UsageError, match="no online endpoint 'nowhere' in workspace 'emulator'") as caught:
        agent.describe("nowhere")
    assert caught.value.exit_code == 2

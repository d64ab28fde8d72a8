"""Sign-in that explains itself: real azure-identity, its chain not pinned, as people meet it (D3 to D6, D9)."""

from urllib.parse import urlsplit

import pytest

from bench.credentials import FailureKind
from bench.credentials.agent.entra_errors import CURES, cure_for
from bench.credentials.agent.sign_in import Attempt, no_sign_in
from bench.emulator.refusals import ENTRA_ERRORS
from bench.endpoint import AuthMode, SignIn
from tests.credentials.agent.programs import (
    LOGIN_EXPIRED,
    MFA,
    NOT_LOGGED_IN,
    failing,
    sign_in_with,
    write_program,
)

TENANT = "00000000-0000-4000-8000-00000000beef"


def entra(emulator, **more: str) -> dict[str, str]:
    """A service principal's variables, its Entra the emulator's."""
    facts = emulator.facts["entra"]
    return {
        "AZURE_AUTHORITY_HOST": facts["authority"],
        "AZURE_TENANT_ID": facts["tenant_id"],
        "AZURE_CLIENT_ID": facts["client_id"],
        "REQUESTS_CA_BUNDLE": facts["ca_file"],
        **more,
    }


def metadata(emulator) -> str:
    """Where the emulator is the metadata service of a machine."""
    parts = urlsplit(emulator.env["IDENTITY_ENDPOINT"])
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize(
    ("said", "line", "cure"),
    [
        (LOGIN_EXPIRED, "AzureCliCredential: AADSTS70043: The refresh token has expired", "log in again: `az logout`"),
        (MFA, "AzureCliCredential: AADSTS50076: Due to a configuration change", "multi-factor authentication is due"),
        (NOT_LOGGED_IN, "AzureCliCredential: nobody is logged in to az", "log in with `az login`"),
        ("ERROR: something new", "AzureCliCredential: something new", "az login"),
    ],
)
def test_what_az_says(tmp_path, said, line, cure):
    """Its code is kept, its first sentence quoted, and the cure is the one for that (D3, D5)."""
    write_program(tmp_path, "az", failing(said))
    failure = sign_in_with(tmp_path)
    assert failure.kind is FailureKind.IDENTITY
    assert line in failure.message
    assert cure in failure.hint
    assert "\n" not in failure.error().describe()
    assert "EnvironmentCredential" not in failure.message
    assert "ManagedIdentity" not in failure.message


def test_az_is_slow(tmp_path):
    """How long it was given, and that this can be set (D6)."""
    write_program(tmp_path, "az", "import time\ntime.sleep(60)")
    failure = sign_in_with(tmp_path, SignIn(timeout_s=0.5))
    assert "az did not answer in 0.5 s" in failure.message
    assert "--sign-in-timeout" in failure.hint
    assert failure.may_pass


def test_the_tenant_is_handed_to_az(tmp_path):
    """`--tenant-id` reaches its command line, and the hint when it does not help (D9)."""
    write_program(tmp_path, "az", "import sys\nsys.stderr.write('ERROR: args ' + ' '.join(sys.argv[1:]))\nsys.exit(1)")
    failure = sign_in_with(tmp_path, SignIn(tenant_id=TENANT))
    assert f"--tenant {TENANT}" in failure.message
    assert failure.hint == f"log in with `az login --tenant {TENANT}`"


def test_half_a_service_principal(tmp_path):
    """Which variable is missing (D3)."""
    failure = sign_in_with(tmp_path, AZURE_CLIENT_SECRET="hunter2", AZURE_TENANT_ID=TENANT)
    assert "half a service principal: AZURE_CLIENT_ID not set" in failure.message
    assert "hunter2" not in failure.error().describe()


def test_a_federated_token_file_that_is_not_there(emulator, tmp_path):
    """It is named by its variable (D3)."""
    failure = sign_in_with(tmp_path, **entra(emulator, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "gone")))
    assert "WorkloadIdentityCredential" in failure.message
    assert "AZURE_FEDERATED_TOKEN_FILE names does not exist" in failure.message


def test_a_broken_assertion(emulator, tmp_path):
    """Entra's code and the cure for a federated credential (D3, D5); the assertion is not shown."""
    (tmp_path / "token").write_text("hunter2")
    failure = sign_in_with(tmp_path, **entra(emulator, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "token")))
    assert "AADSTS700213: No matching federated identity record" in failure.message
    assert "issuer, subject and audience" in failure.hint
    assert "hunter2" not in failure.error().describe()


def test_a_federated_token_signs_in(emulator, tmp_path):
    """Workload identity, as on AKS and in CI jobs."""
    (tmp_path / "token").write_text(emulator.facts["entra"]["client_secret"])
    claims = sign_in_with(tmp_path, **entra(emulator, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "token")))
    assert claims["appid"] == emulator.facts["entra"]["client_id"]


def test_a_machine_without_identity_and_nobody_logged_in(emulator, tmp_path):
    """Both are named, each with its own status; what a person can mend first is the login (D4)."""
    emulator.fault(do="no_machine_identity")
    write_program(tmp_path, "az", failing(NOT_LOGGED_IN))
    failure = sign_in_with(tmp_path, AZURE_POD_IDENTITY_AUTHORITY_HOST=metadata(emulator))
    assert "AzureCliCredential: nobody is logged in to az" in failure.message
    assert "az login" in failure.hint
    assert "400" not in failure.message.partition("ManagedIdentityCredential")[0]


def test_a_machines_identity_signs_in(emulator, tmp_path):
    """Through the metadata service."""
    claims = sign_in_with(tmp_path, AZURE_POD_IDENTITY_AUTHORITY_HOST=metadata(emulator))
    assert claims["oid"].startswith("11111111")


def test_a_service_principal_with_a_wrong_secret(emulator, tmp_path):
    """Entra answers 401 to it (D5)."""
    failure = sign_in_with(tmp_path, **entra(emulator, AZURE_CLIENT_SECRET="hunter2"))
    assert "EnvironmentCredential: AADSTS7000215: Invalid client secret provided (answered 401)" in failure.message
    assert "not to its id" in failure.hint
    assert "hunter2" not in failure.error().describe()


@pytest.mark.parametrize("code", sorted(ENTRA_ERRORS))
def test_each_error_of_entra_has_its_cure(agent, emulator, code):
    """The code is never lost, Entra's sentence is quoted, and what to do is not `az login` for everything (D5)."""
    emulator.fault(do="identity", answer=f"AADSTS{code}")
    failure = agent.fetch(emulator.endpoint(AuthMode.AAD_TOKEN), AuthMode.AAD_TOKEN)
    assert f"AADSTS{code}: {ENTRA_ERRORS[code].partition('.')[0]}" in failure.message
    assert failure.hint == cure_for(f"AADSTS{code}")


class TestLine:
    """The rules, without processes."""

    def test_the_cure_is_of_what_a_person_can_mend_first(self):
        """Entra's refusal comes before a login, and that before a machine's identity."""
        attempts = [
            Attempt(credential="ManagedIdentityCredential", said="Identity not found", status=400),
            Attempt(credential="AzureCliCredential", said="Please run 'az login' to set up an account"),
            Attempt(credential="EnvironmentCredential", said="AADSTS7000222: expired.", status=401),
        ]
        failure = no_sign_in(attempts, pinned=False)
        assert failure.hint == CURES["AADSTS7000222"]
        order = ["EnvironmentCredential", "AzureCliCredential", "ManagedIdentityCredential"]
        assert sorted(order, key=failure.message.index) == order

    def test_the_silent_are_not_heard_unless_pinned(self):
        """A credential that is not set up is news only when it is the one that was asked for."""
        attempts = [Attempt(credential="AzureCliCredential", said="Azure CLI not found on path")]
        assert "nobody is signed in here" in no_sign_in(attempts, pinned=False).message
        assert "not found on path" in no_sign_in(attempts, pinned=True).message

    @pytest.mark.parametrize(("status", "temporary"), [(503, True), (429, True), (400, False), (401, False)])
    def test_whose_trouble_it_is(self, status, temporary):
        attempts = [Attempt(credential="ManagedIdentityCredential", said="no", status=status)]
        failure = no_sign_in(attempts, pinned=False)
        assert failure.temporary is temporary
        assert f"answered {status}" in failure.message

    def test_a_code_nobody_wrote_down(self):
        """Where it is explained."""
        attempts = [Attempt(credential="AzureCliCredential", said="ERROR: AADSTS123456: New. More.")]
        failure = no_sign_in(attempts, pinned=False)
        assert "AADSTS123456: New" in failure.message
        assert failure.hint == "see https://login.microsoftonline.com/error?code=123456"

    def test_no_secret_is_quoted(self):
        """Whatever could be a key or token is blotted out."""
        secret = "A" * 40
        attempts = [Attempt(credential="AzureCliCredential", said=f"ERROR: odd {secret} thing")]
        assert secret not in no_sign_in(attempts, pinned=False).message

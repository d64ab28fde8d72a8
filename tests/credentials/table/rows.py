"""What goes wrong on the way to an Azure ML endpoint: the input, what is said of it, the exit code, the cure.

The guide's page is made of these rows (`page`), and each of them is done to `bench doctor` and to `bench run`, on both
control planes where one is needed (`test_table`). `...` stands for whatever differs from case to case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.credentials.agent.arm_errors import CODES
from bench.credentials.agent.entra_errors import CURES
from bench.credentials.agent.sign_in import NOTHING_SET_UP
from bench.credentials.failure import FailureKind
from bench.endpoint import READ_ACTION, role_advice
from tests.credentials.agent.programs import LOGIN_EXPIRED, MFA, NOT_LOGGED_IN

ENDPOINT = ("--endpoint", "{endpoint}")
TOKEN_FOR_URI = ("--endpoint", "{endpoint}", "--scoring-uri", "{uri}", "--auth-mode", "aad_token")
URI = ("--scoring-uri", "{uri}")
_ALL_WELL: Mapping[str, Any] = {"do": "validation_delay", "by": 0}
_LISTKEYS = READ_ACTION.replace("/read", "/listKeys/action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One input. `words` are options, `env` variables; `{...}` in them are places that a test knows.

    `emulator` are its faults and `stub` the second plane's trouble (see `planes`); one without both needs no plane.
    `code` 0: nothing is wrong, and `says` is shown as a note.
    """

    given: str
    says: str
    code: int
    cure: str = ""
    words: tuple[str, ...] = ENDPOINT
    env: Mapping[str, str] = field(default_factory=dict)
    emulator: tuple[Mapping[str, Any], ...] = ()
    stub: Mapping[str, Any] = field(default_factory=dict)


def _entra(code: str, cure: str) -> Row:
    digits = code.removeprefix("AADSTS")
    return Row(
        given=f"Entra answers {code}",
        says=f"no Entra token for this principal: ...: {code}: ... (answered 400)...",
        code=3,
        cure=cure.replace("{tenant}", ""),
        words=TOKEN_FOR_URI,
        emulator=({"do": "identity", "answer": code},),
        stub={"entra": digits},
    )


def _arm(code: str, status: int, word: str, operation: str = "endpoint") -> Row:
    error = CODES[code]
    return Row(
        given=f"ARM answers {code}",
        says=f"{error.says}: ... (ARM answered {status} {code})",
        code=2 if error.kind is FailureKind.NOT_FOUND else 3,
        cure=error.cure.replace("{tenant}", "..."),
        emulator=({"do": "arm", "answer": word, "operation": operation},),
        stub={"arm": code, "operation": operation},
    )


def _busy(given: str, says: str, word: str, status: int, cure: str = "", operation: str = "endpoint") -> Row:
    return Row(
        given=given,
        says=says,
        code=3,
        cure=cure or "give it longer with --start-timeout, or try again later",
        emulator=({"do": "arm", "answer": word, "operation": operation},),
        stub={"status": status, "operation": operation},
    )


def _lacking(action: str, word: str) -> Row:
    return Row(
        given=f"the role lacks {action.partition('onlineEndpoints/')[2]}",
        says=f"the principal lacks {action} on endpoint '...' (ARM answered 403 AuthorizationFailed)",
        code=3,
        cure=role_advice(action),
        emulator=({"do": "deny", "action": word},),
        stub={"lacks": word},
    )


def _state(state: str, cure: str) -> Row:
    return Row(
        given=f"the endpoint is {state}",
        says=f"endpoint '...' is {state}",
        code=4,
        cure=cure,
        emulator=({"do": "state", "to": state},),
        stub={"endpoint": {"provisioningState": state}},
    )


OPTIONS = (
    Row(given="no target", says="no target given", code=2, cure="choose one: ...", words=()),
    Row(
        given="`--emulator --endpoint NAME`",
        says="--emulator and --endpoint exclude each other",
        code=2,
        cure="choose one: ...",
        words=("--emulator", "--endpoint", "e"),
    ),
    Row(
        given="`--endpoint` with `--scoring-uri`, no `--auth-mode`",
        says="--endpoint with --scoring-uri needs --auth-mode, for nothing is read from Azure then",
        code=2,
        cure="add --auth-mode key, aml_token or aad_token",
        words=("--endpoint", "e", "--scoring-uri", "https://h/score"),
    ),
    Row(
        given="no workspace named anywhere",
        says="--endpoint needs subscription id and resource group and workspace name",
        code=2,
        cure="give --subscription-id, --resource-group and --workspace, or run beside the workspace's config.json",
        words=("--endpoint", "e", "--nowhere"),
    ),
    Row(
        given="half of it named",
        says="--endpoint needs subscription id and resource group (only the others are in AZURE_SUBSCRIPTION_ID, ...)",
        code=2,
        cure="give --subscription-id, --resource-group and --workspace, or run beside the workspace's config.json",
        words=("--endpoint", "e", "--nowhere"),
        env={"AZURE_WORKSPACE": "w"},
    ),
    Row(
        given="a config.json that is no JSON",
        says="...config.json cannot be read: it is no JSON: ...",
        code=2,
        cure="save it as UTF-8 JSON with subscription_id, resource_group, workspace_name; or give --subscription-id, "
        "--resource-group and --workspace, or run beside the workspace's config.json",
        words=("--endpoint", "e", "--nowhere"),
        env={"config.json": "{"},
    ),
    *(
        Row(
            given=f"`--endpoint {kind}/NAME`",
            says=f"--endpoint {kind}/x: {says}...",
            code=2,
            cure=cure,
            words=("--endpoint", f"{kind}/x"),
        )
        for kind, says, cure in (
            ("batch", "a batch endpoint runs jobs and answers no requests", "measure an online or serverless endpoint"),
            ("registry", "a registry holds models and has no endpoints", "name the workspace ... with --workspace"),
            ("hub", "a hub has no endpoints of its own", "name the project with --workspace"),
            ("openai", "azure-ai-ml has no keys of Azure OpenAI deployments", "give --scoring-uri and its key ..."),
            ("other", "'other' is no kind of endpoint", "write NAME, or serverless/NAME"),
        )
    ),
    Row(
        given="`--cloud Azure`",
        says="--cloud: 'Azure' is no Azure cloud",
        code=2,
        cure="there are AzureCloud, AzureUSGovernment, AzureChinaCloud",
        words=("--endpoint", "e", "--cloud", "Azure"),
    ),
    Row(
        given="a typo in `AZUREML_CURRENT_CLOUD`",
        says="AZUREML_CURRENT_CLOUD: 'AzureUSGoverment' is no Azure cloud",
        code=2,
        cure="there are AzureCloud, AzureUSGovernment, AzureChinaCloud",
        words=("--endpoint", "e"),
        env={"AZUREML_CURRENT_CLOUD": "AzureUSGoverment"},
    ),
    Row(
        given="`--tenant-id 'my tenant'`",
        says="--tenant-id: 'my tenant' is no id",
        code=2,
        cure="letters, digits, dots and hyphens",
        words=("--endpoint", "e", "--tenant-id", "my tenant"),
    ),
    Row(
        given="`--auth-mode token`",
        says="--auth-mode: 'token' is no auth mode",
        code=2,
        cure="there are key, aml_token, aad_token",
        words=("--endpoint", "e", "--auth-mode", "token"),
    ),
    Row(
        given="`--ca-file` that is not there",
        says="--ca-file ...: No such file or directory",
        code=2,
        cure="give a PEM file of certificate authorities",
        words=("--endpoint", "e", "--ca-file", "{gone}"),
    ),
    Row(
        given="`REQUESTS_CA_BUNDLE` that is not there",
        says="REQUESTS_CA_BUNDLE ...: No such file or directory",
        code=2,
        cure="give a PEM file of certificate authorities",
        words=("--endpoint", "e"),
        env={"REQUESTS_CA_BUNDLE": "{gone}"},
    ),
    Row(
        given="`--client-key` without `--client-cert`",
        says="--client-key without its certificate",
        code=2,
        cure="give that with --client-cert",
        words=("--endpoint", "e", "--client-key", "{key}"),
    ),
    Row(
        given="`--client-cert` that is not there",
        says="--client-cert ...: No such file or directory",
        code=2,
        cure="give a PEM file that you may read",
        words=("--endpoint", "e", "--client-cert", "{gone}"),
    ),
    Row(
        given="a client key that is encrypted",
        says="--client-key ...: the private key is encrypted",
        code=2,
        cure="decrypt it for the run: openssl pkey -in KEY -out PLAIN, readable by you alone",
        words=("--endpoint", "e", "--client-cert", "{cert}", "--client-key", "{encrypted}"),
    ),
    Row(
        given="another certificate's key",
        says="--client-key ... is not the key of the certificate",
        code=2,
        cure="the two must have been issued together",
        words=("--endpoint", "e", "--client-cert", "{cert}", "--client-key", "{other_key}"),
    ),
    Row(
        given="a client certificate that has expired",
        says="--client-cert ... expired on ...",
        code=4,
        cure="have a new one issued, or check this host's clock",
        words=("--endpoint", "e", "--client-cert", "{old_cert}", "--client-key", "{old_key}"),
    ),
    Row(
        given="a client certificate, and plain http",
        says="--client-cert is shown over TLS only, and the scoring URI is plain http",
        code=2,
        cure="give the https URI, or leave the certificate out",
        words=("--scoring-uri", "http://h/score", "--client-cert", "{cert}", "--client-key", "{key}"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="`--scoring-uri` without `https://`",
        says="scoring URI 'host/score' is not an http(s) URL",
        code=2,
        cure="write https://host/score",
        words=("--scoring-uri", "host/score"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="a password in the scoring URI",
        says="the scoring URI holds a user name or password",
        code=2,
        cure="put the secret in BENCH_KEY or BENCH_TOKEN",
        words=("--scoring-uri", "https://me:hunter2@host/score"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="`--scoring-uri` without a secret",
        says="no secret for auth mode key: BENCH_KEY is not set",
        code=3,
        cure="export BENCH_KEY=..., it is never an option because the process list would show it",
        words=("--scoring-uri", "http://h/score"),
    ),
    Row(
        given='`BENCH_KEY="Bearer abc"`',
        says="BENCH_KEY begins with the word Bearer",
        code=3,
        cure="leave Bearer out: it is added to the header",
        words=("--scoring-uri", "http://h/score"),
        env={"BENCH_KEY": "Bearer abc"},
    ),
    Row(
        given="`BENCH_KEY` in quotes",
        says="BENCH_KEY stands in quotes",
        code=3,
        cure="leave the quotes out: they would be sent",
        words=("--scoring-uri", "http://h/score"),
        env={"BENCH_KEY": '"abc"'},
    ),
    Row(
        given="`BENCH_KEY` with a line break",
        says="BENCH_KEY holds a character that cannot be sent in a header",
        code=3,
        cure="check for line breaks",
        words=("--scoring-uri", "http://h/score"),
        env={"BENCH_KEY": "ab\ncd"},
    ),
    Row(
        given="`HTTPS_PROXY` that is no http proxy",
        says="HTTPS_PROXY names no http proxy",
        code=2,
        cure="write http://host:port, or name the host in NO_PROXY",
        words=("--scoring-uri", "https://h/score"),
        env={"BENCH_KEY": "k", "HTTPS_PROXY": "socks5://p:1080", "NO_PROXY": "x"},
    ),
)
"""What options and variables say by themselves; no plane is asked."""

SIGN_IN = (
    Row(
        given="nobody is signed in",
        says="nobody is signed in here: ...",
        code=3,
        cure=NOTHING_SET_UP,
    ),
    Row(
        given="`az` is not logged in",
        says="no Entra token for this principal: AzureCliCredential: nobody is logged in to az",
        code=3,
        cure="log in with `az login`",
        env={"az": NOT_LOGGED_IN},
    ),
    Row(
        given="`az`'s login has expired",
        says="no Entra token for this principal: AzureCliCredential: AADSTS70043: The refresh token has expired ...",
        code=3,
        cure=CURES["AADSTS70043"].replace("{tenant}", ""),
        env={"az": LOGIN_EXPIRED},
    ),
    Row(
        given="multi-factor authentication is due",
        says="no Entra token for this principal: AzureCliCredential: AADSTS50076: Due to a configuration change ...",
        code=3,
        cure=CURES["AADSTS50076"].replace("{tenant}", ""),
        env={"az": MFA},
    ),
    Row(
        given="`azd` is not logged in",
        says="no Entra token for this principal: AzureDeveloperCliCredential: nobody is logged in to azd",
        code=3,
        cure="log in with `azd auth login`",
        env={"azd": "ERROR: not logged in, run `azd auth login` to login"},
    ),
    Row(
        given="Azure PowerShell is not logged in",
        says="no Entra token for this principal: AzurePowerShellCredential: nobody is logged in to pwsh",
        code=3,
        cure="log in with `Connect-AzAccount`",
        env={"pwsh": "Run Connect-AzAccount to login"},
    ),
    Row(
        given="half a service principal",
        says="no Entra token for this principal: half a service principal: AZURE_CLIENT_ID not set...",
        code=3,
        cure="set all of them, or none",
        env={"AZURE_CLIENT_SECRET": "hunter2", "AZURE_TENANT_ID": "t"},
    ),
    Row(
        given="a federated token file that is not there",
        says="...WorkloadIdentityCredential: the file that AZURE_FEDERATED_TOKEN_FILE names does not exist...",
        code=3,
        env={"AZURE_FEDERATED_TOKEN_FILE": "/gone", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"},
        cure="...",
    ),
)
"""What the credentials of the chain say; `env` names a program and what it prints, or a variable."""

TROUBLE = tuple(
    Row(
        given=f"the identity service answers {status}",
        says=f"no Entra token for this principal: ...answered {status}...; ... attempts in ... s",
        code=3,
        cure="..." if status == "429" else "... is in trouble; it is asked again",
        words=TOKEN_FOR_URI,
        emulator=({"do": "identity", "answer": status},),
        stub={"identity": int(status)},
    )
    for status in ("429", "500", "503")
)

ENTRA = tuple(_entra(code, cure) for code, cure in CURES.items())

ARM = (
    _lacking(READ_ACTION, "read"),
    _lacking(_LISTKEYS, "listkeys/action"),
    Row(
        given="an endpoint that does not exist",
        says="no online endpoint 'nowhere' in workspace ..., resource group ... (ARM answered 404 ResourceNotFound)",
        code=2,
        cure="check the name, the workspace and the subscription; a serverless endpoint is written serverless/NAME",
        words=("--endpoint", "nowhere"),
        emulator=(_ALL_WELL,),
        stub={"nothing": True},
    ),
    Row(
        given="a workspace that does not exist",
        says="no workspace '...' in resource group '...' (ARM answered 404 ResourceNotFound)",
        code=2,
        cure="check --workspace and --resource-group",
        emulator=({"do": "arm", "answer": "no_workspace", "operation": "endpoint"},),
        stub={"arm": "ResourceNotFound", "operation": "endpoint"},
    ),
    _arm("ResourceGroupNotFound", 404, "no_group"),
    _arm("SubscriptionNotFound", 404, "no_subscription"),
    _arm("InvalidSubscriptionId", 400, "bad_subscription"),
    _arm("RequestDisallowedByPolicy", 403, "policy", "listkeys"),
    _arm("RequestDisallowedByAzure", 403, "azure_policy", "listkeys"),
    _arm("DenyAssignmentAuthorizationFailed", 403, "deny_assignment", "listkeys"),
    _arm("LinkedAuthorizationFailed", 403, "linked", "listkeys"),
    _arm("ScopeLocked", 409, "locked", "listkeys"),
    _arm("PublicNetworkAccessDisabled", 403, "private_only"),
    _arm("ReadOnlyDisabledSubscription", 409, "disabled_subscription", "listkeys"),
    _arm("MissingSubscriptionRegistration", 409, "unregistered"),
    _arm("SubscriptionNotRegistered", 409, "not_registered"),
    _arm("NoRegisteredProviderFound", 400, "no_provider"),
    _arm("InvalidAuthenticationTokenTenant", 401, "tenant"),
    _arm("ExpiredAuthenticationToken", 401, "expired"),
    _arm("InvalidAuthenticationToken", 401, "401"),
    Row(
        given="a proxy's page instead of ARM",
        says="not ARM but something before it answered 403 with a page of its own (...)",
        code=3,
        cure="a proxy or firewall stands in the way: set HTTPS_PROXY or NO_PROXY, or have Azure's hosts allowed there",
        emulator=({"do": "arm", "answer": "proxy", "operation": "endpoint"},),
        stub={"page": 403, "operation": "endpoint"},
    ),
    _busy("ARM throttles", "the control plane throttles (ARM answered 429 ...); ...", "429", 429),
    _busy("ARM fails", "the control plane failed (ARM answered 500 ...); ...", "500", 500),
    _busy("a gateway before ARM fails", "the control plane failed (ARM answered 502...); ...", "502", 502),
    _busy("ARM is not available", "the control plane failed (ARM answered 503 ...); ...", "503", 503),
    _busy("another operation is in progress", "the control plane failed (ARM answered 409 ...); ...", "409", 409),
    _busy(
        "ARM breaks the connection off",
        "...the Azure control plane...; ...",
        "drop",
        0,
        cure="...",
    ),
    Row(
        given="ARM's answer is cut off",
        says="the Azure control plane's answer about endpoint '...' is malformed (...)",
        code=3,
        emulator=({"do": "arm", "answer": "malformed", "operation": "endpoint"},),
        stub={"malformed": True, "operation": "endpoint"},
    ),
)

STATES = (
    _state("Creating", "wait until it is Succeeded"),
    _state("Deleting", "it will be gone in a moment: name another"),
    _state("Failed", "see its deployment logs, and deploy it again"),
    _state("Canceled", "deploy it again"),
    Row(
        given="the deployment with the traffic is Failed",
        says="deployment 'blue' of endpoint '...' is Failed: it cannot answer",
        code=4,
        cure="see its deployment logs, and deploy it again",
        emulator=({"do": "state", "to": "Failed", "deployment": "blue"},),
        stub={"deployment": {"provisioningState": "Failed"}},
    ),
    Row(
        given="`--deployment` of a name that does not exist",
        says="endpoint '...' has no deployment 'green'",
        code=2,
        cure="it has blue",
        words=(*ENDPOINT, "--deployment", "green"),
        emulator=(_ALL_WELL,),
        stub={"nothing": True},
    ),
    Row(
        given="no deployment has traffic",
        says="no deployment of endpoint '...' takes traffic (blue 0 %): scoring is a 404",
        code=4,
        cure="give one a share of the traffic, or pin one with --deployment",
        stub={"endpoint": {"traffic": {}}},
    ),
    Row(
        given="no scoring URI yet",
        says="endpoint '...' has no scoring URI yet",
        code=4,
        cure="wait until it is Succeeded",
        stub={"endpoint": {"scoringUri": None}},
    ),
    Row(
        given="`--auth-mode` that is not the endpoint's",
        says="endpoint ... uses key, not aml_token",
        code=2,
        cure="... --auth-mode key, or ...",
        words=(*ENDPOINT, "--auth-mode", "aml_token"),
        emulator=(_ALL_WELL,),
        stub={"nothing": True},
    ),
)

NOTES = (
    Row(
        given="the endpoint is being updated",
        says="endpoint '...' is being updated: what is measured may change on the way",
        code=0,
        emulator=({"do": "state", "to": "Updating"},),
        stub={"endpoint": {"provisioningState": "Updating"}},
    ),
    Row(
        given="the deployment is being updated",
        says="deployment 'blue' is being updated: what is measured may change on the way",
        code=0,
        emulator=({"do": "state", "to": "Updating", "deployment": "blue"},),
        stub={"deployment": {"provisioningState": "Updating"}},
    ),
    Row(
        given="public network access is Disabled",
        says="endpoint '...' has public network access disabled: it answers in its private network only",
        code=0,
        emulator=({"do": "network_access", "to": "Disabled"},),
        stub={"endpoint": {"publicNetworkAccess": "Disabled"}},
    ),
    Row(
        given="traffic is mirrored",
        says="endpoint '...' mirrors traffic (10 % to green): the copies are load as well",
        code=0,
        stub={"endpoint": {"mirrorTraffic": {"green": 10}}},
    ),
    Row(
        given="`--timeout` below the model's own",
        says="--timeout 1s is below the ... s that 'blue' may take: requests are given up that it would have answered",
        code=0,
        words=(*ENDPOINT, "--timeout", "1s"),
        emulator=(_ALL_WELL,),
        stub={"deployment": {"requestSettings": {"requestTimeout": "PT1M30S"}}},
    ),
    Row(
        given="the deployments may not be listed",
        says="endpoint '...' has deployments that may not be listed: their states are not known",
        code=0,
        emulator=({"do": "deny", "action": "deployments/read"},),
        stub={"lacks": "deployments/read"},
    ),
)

WAY = (
    Row(
        given="nobody answers at the scoring URI",
        says="cannot reach ...: refused: Connection refused",
        code=4,
        cure="is the server up, and is this its port?",
        words=("--scoring-uri", "http://127.0.0.1:9/score"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="an ingress sends http on to https",
        says="... does not score but sends on (308) to https://h/score",
        code=4,
        cure="a redirect is not followed, for the secret would go along: give that URI with --scoring-uri",
        words=("--scoring-uri", "{redirect}"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="a company's certificate authority",
        says="cannot reach ...: tls: unable to get local issuer certificate",
        code=4,
        cure="give the certificate of the server's authority with --ca-file; it is trusted beside the system's",
        words=("--scoring-uri", "{tls}"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="a server that asks for a client certificate",
        says="... asks for a client certificate and got none (...)",
        code=4,
        cure="give one with --client-cert and --client-key",
        words=("--scoring-uri", "{asking}", "--ca-file", "{ca}"),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="a client certificate of another authority",
        says="... refuses the certificate of --client-cert (...)",
        code=4,
        cure="ask whoever runs that ingress which authority it trusts, and have the certificate issued there",
        words=(
            "--scoring-uri",
            "{asking}",
            "--ca-file",
            "{ca}",
            "--client-cert",
            "{other}",
            "--client-key",
            "{other_key}",
        ),
        env={"BENCH_KEY": "k"},
    ),
    Row(
        given="a proxy that is not there",
        says="cannot reach h:443: refused: Connection refused (through the proxy 127.0.0.1:9)",
        code=4,
        cure="check HTTPS_PROXY and NO_PROXY",
        words=("--scoring-uri", "https://h/score"),
        env={"BENCH_KEY": "k", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "x"},
    ),
)
"""Found by the doctor; a run `cannot reach` the same, exit 4, or has these failures in its report."""

SECTIONS: tuple[tuple[str, str, tuple[Row, ...]], ...] = (
    ("Options and variables", "Nobody is asked yet.", OPTIONS),
    (
        "Sign-in",
        "Every credential that had something to say is named; [Sign in](sign-in.md) says who signs in.",
        SIGN_IN,
    ),
    ("Entra", "Any other code: `https://login.microsoftonline.com/error?code=` and its digits.", (*TROUBLE, *ENTRA)),
    ("Azure Resource Manager", "By ARM's own code; any other code comes with ARM's own words.", ARM),
    ("The endpoint", "What ARM reports about it.", STATES),
    ("The way to the scoring URI", "By `bench doctor`; a run cannot begin, or has it in its report.", WAY),
    ("Notes: nothing is wrong", "Before the run, and by `bench doctor` as a note.", NOTES),
)

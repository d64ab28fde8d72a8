"""Why nobody is signed in: what each credential of the chain said, in one line a colleague can act on. Pure.

A credential that is not set up here says nothing: nobody wants to hear of nine. The first cure is the one for what a
person can mend soonest: Entra's own refusal, then a half-configured service principal, then a command-line login.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.credentials.agent.entra_errors import TRANSIENT, code_in, cure_for
from bench.credentials.failure import Failure, FailureKind, retry_after_s, safe_line

_SILENT = re.compile(
    r"not found on path|not installed|could not be found|not fully configured|no response from the IMDS|"
    r"no managed identity endpoint found|azure-identity-broker|Shared token cache|No accounts were found|"
    r"requires Azure PowerShell|broker|InteractiveBrowser|No accounts",
    re.IGNORECASE,
)
_IN_TROUBLE = re.compile(r"connection|timed out|JSON|Max retries|temporarily", re.IGNORECASE)
_NOT_LOGGED_IN = re.compile(r"az login|azd auth login|Connect-AzAccount|az account set", re.IGNORECASE)
_NO_MACHINE_IDENTITY = re.compile(r"identity not found|no managed identity|identity has been assigned", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:ERROR:|Authentication failed:|\w+Credential authentication (?:failed|unavailable)[.:])\s*")
_SENTENCE = re.compile(r"(?<=[\w'\")])[.!]\s")
_REFUSALS = 400
_OUR_FAULT = (400, 401, 403)
_LONGEST = 180
_LOGINS = {
    "AzureCliCredential": ("az", "az login{tenant}"),
    "AzureDeveloperCliCredential": ("azd", "azd auth login"),
    "AzurePowerShellCredential": ("pwsh", "Connect-AzAccount{tenant_ps}"),
}
NOTHING_SET_UP = (
    "log in with `az login`, or give the host a managed identity or AZURE_TENANT_ID, _CLIENT_ID, _CLIENT_SECRET"
)
_WAIT = "the identity service is in trouble; it is asked again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one credential of the chain said. `status` and `headers` are the identity service's answer, if one came."""

    credential: str
    said: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timed_out_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Finding:
    """One credential's line, its cure, and how soon a person can mend it (0 first)."""

    line: str
    cure: str
    rank: int
    temporary: bool


def no_sign_in(attempts: Sequence[Attempt], *, pinned: bool, half_set: str = "", tenant: str = "") -> Failure:
    """Everybody who had something to say, and the cure of what can be mended first.

    `pinned`: AZURE_TOKEN_CREDENTIALS names one, so that its silence is news too. `half_set` says which variables of a
    service principal are missing.
    """
    heard = [
        attempt
        for attempt in attempts
        if pinned
        or attempt.timed_out_after_s is not None
        or attempt.status is not None
        or not _SILENT.search(attempt.said)
    ]
    findings = [_finding(attempt, tenant) for attempt in heard]
    if half_set:
        findings.append(_Finding(line=half_set, cure="set all of them, or none", rank=1, temporary=False))
    findings.sort(key=lambda finding: finding.rank)
    retry_after = next((s for one in attempts if (s := retry_after_s(one.headers, "")) is not None), None)
    if not findings:
        return Failure(
            kind=FailureKind.IDENTITY,
            message="nobody is signed in here: no service principal, workload identity or managed identity, and no az,"
            " azd or Azure PowerShell was found",
            hint=NOTHING_SET_UP,
        )
    return Failure(
        kind=FailureKind.IDENTITY,
        message="no Entra token for this principal: " + "; ".join(finding.line for finding in findings),
        hint=findings[0].cure,
        retry_after_s=retry_after,
        temporary=any(finding.temporary for finding in findings),
    )


def _finding(attempt: Attempt, tenant: str) -> _Finding:
    name, text = attempt.credential, attempt.said
    code = code_in(text)
    answered = f"answered {attempt.status}" if attempt.status is not None and attempt.status >= _REFUSALS else ""
    if code:
        line = f"{name}: {_first_sentence(text[text.index(code) :])}" + (f" ({answered})" if answered else "")
        theirs = attempt.status is not None and attempt.status >= _REFUSALS and attempt.status not in _OUR_FAULT
        return _Finding(line, cure_for(code, tenant=tenant), 0, theirs or code in TRANSIENT)
    if name in _LOGINS:
        program, login = _LOGINS[name]
        login = login.replace("{tenant_ps}", f" -Tenant {tenant}" if tenant else "")
        login = login.replace("{tenant}", f" --tenant {tenant}" if tenant else "")
        if attempt.timed_out_after_s is not None:
            cure = f"see why `{program}` is slow, or give it more time with --sign-in-timeout"
            return _Finding(f"{name}: {program} did not answer in {attempt.timed_out_after_s:g} s", cure, 2, True)
        if _NOT_LOGGED_IN.search(text):
            return _Finding(f"{name}: nobody is logged in to {program}", f"log in with `{login}`", 2, False)
        return _Finding(f"{name}: {_first_sentence(text)}", f"log in with `{login}`", 2, False)
    if answered:
        theirs = attempt.status not in _OUR_FAULT
        if theirs:
            return _Finding(f"{name}: the identity service {answered}", _WAIT, 4, True)
        if _NO_MACHINE_IDENTITY.search(text):
            line = (
                f"{name}: this host has no managed identity, or not the one asked for (the metadata service {answered})"
            )
            return _Finding(line, "assign one to the host, or name it with --client-id", 3, False)
        line = f"{name}: the identity service {answered}: {_first_sentence(text)}".removesuffix(": ")
        return _Finding(line, NOTHING_SET_UP, 3, False)
    trouble = _IN_TROUBLE.search(text) is not None
    return _Finding(
        f"{name}: {_first_sentence(text)}", _WAIT if trouble else NOTHING_SET_UP, 4 if trouble else 1, trouble
    )


def half_of_a_service_principal(environ: Mapping[str, str]) -> str:
    """Which of its variables are missing when some of a service principal's are set; nothing when all or none are."""
    secrets = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_PASSWORD")
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
    has_secret = any(environ.get(name) for name in secrets)
    missing = [name for name in names if not environ.get(name)]
    if has_secret and missing:
        return f"half a service principal: {' and '.join(missing)} not set"
    if not has_secret and not missing:
        return f"half a service principal: {secrets[0]}, {secrets[1]} or {secrets[2]} not set"
    return ""


def _first_sentence(text: str) -> str:
    line = safe_line(text)
    while (shorter := _PREFIX.sub("", line)) != line:
        line = shorter
    return _SENTENCE.split(line, maxsplit=1)[0][:_LONGEST].rstrip(".")

"""What to do about the errors of Entra that people meet when they sign in. Pure.

Source: Microsoft Learn, "Microsoft Entra authentication and authorization error codes" (reference-error-codes), and
"Troubleshoot workload identity federation". Entra's own sentence says what is wrong; this says what cures it.
"""

from __future__ import annotations

import re

_LOG_IN_AGAIN = "log in again: `az logout`, then `az login{tenant}`"
_MAKE_ANOTHER = "make a new secret for the app registration and set AZURE_CLIENT_SECRET to its value, not to its id"
_FEDERATION = (
    "the app registration's federated credential must name the issuer, subject and audience of the token that this job "
    "presents: compare them letter by letter"
)
_CONDITIONAL = (
    "a Conditional Access policy stands in the way: ask its owner, or use a device and network that it allows"
)
_TRANSIENT = "Entra is in trouble; it is asked again"

CURES: dict[str, str] = {
    "AADSTS16000": "several accounts are signed in: log in with the one that is meant, `az login{tenant}`",
    "AADSTS500011": "the tenant does not know this resource: the wrong tenant or cloud; set --tenant-id or --cloud",
    "AADSTS50020": "the account belongs to another tenant: `az login --tenant T` with the subscription's tenant",
    "AADSTS50034": "no such account in this tenant: `az login --tenant T` with the subscription's tenant",
    "AADSTS50053": "the account is locked after failed sign-ins: wait, or have it unlocked",
    "AADSTS50055": "the password has expired: change it, then `az login{tenant}`",
    "AADSTS50057": "the account is disabled: ask whoever manages the tenant",
    "AADSTS50058": _LOG_IN_AGAIN,
    "AADSTS50076": "multi-factor authentication is due: `az login{tenant}`",
    "AADSTS50078": "multi-factor authentication has expired: `az login{tenant}`",
    "AADSTS50079": "multi-factor authentication must be set up first: `az login{tenant}` and follow the page",
    "AADSTS50105": "the account is not assigned to the application",
    "AADSTS50126": "user name or password is wrong",
    "AADSTS50173": _LOG_IN_AGAIN,
    "AADSTS50196": "the token was asked for too often: a loop; wait some minutes",
    "AADSTS53000": _CONDITIONAL,
    "AADSTS53001": _CONDITIONAL,
    "AADSTS53003": _CONDITIONAL,
    "AADSTS530003": _CONDITIONAL,
    "AADSTS65001": "nobody has consented to the application: ask whoever manages the tenant",
    "AADSTS700003": _LOG_IN_AGAIN,
    "AADSTS700016": (
        "the tenant has no such application: check AZURE_CLIENT_ID (--client-id) and AZURE_TENANT_ID (--tenant-id)"
    ),
    "AADSTS70021": _FEDERATION,
    "AADSTS700024": (
        "the federated token is too old or from the future: check this host's clock, and that the token is fetched "
        "anew before it ends (in a CI job it lives for minutes)"
    ),
    "AADSTS700027": "the certificate is not registered on the application, or is expired: upload its public part",
    "AADSTS70043": _LOG_IN_AGAIN,
    "AADSTS700082": _LOG_IN_AGAIN,
    "AADSTS700084": _LOG_IN_AGAIN,
    "AADSTS7000112": "the application is disabled: ask whoever manages the tenant",
    "AADSTS700211": _FEDERATION,
    "AADSTS700212": _FEDERATION,
    "AADSTS700213": _FEDERATION,
    "AADSTS7000215": f"AZURE_CLIENT_SECRET is wrong: {_MAKE_ANOTHER}",
    "AADSTS7000222": f"AZURE_CLIENT_SECRET has expired: {_MAKE_ANOTHER}",
    "AADSTS7000229": "the application has no service principal here: `az ad sp create --id ID`",
    "AADSTS90002": "no such tenant: check AZURE_TENANT_ID (--tenant-id), and --cloud when it is not public Azure's",
    "AADSTS90033": _TRANSIENT,
    "AADSTS90038": "the tenant lives in another cloud: set --cloud",
    "AADSTS900382": "the tenant lives in another cloud: set --cloud",
    "AADSTS900023": "AZURE_TENANT_ID (--tenant-id) is neither a domain nor an id of a tenant",
}
"""Code -> what cures it. `{tenant}` becomes ` --tenant T` when the tenant is known."""

TRANSIENT = {code for code, cure in CURES.items() if cure == _TRANSIENT}
"""Entra's own trouble: asking again may help."""

_CODE = re.compile(r"AADSTS\d+")


def code_in(text: str) -> str:
    """The first AADSTS code in `text`, or nothing."""
    found = _CODE.search(text)
    return found.group(0) if found else ""


def cure_for(code: str, *, tenant: str = "") -> str:
    """What cures `code`; for one that is not in the table, where it is explained."""
    cure = CURES.get(code, f"see https://login.microsoftonline.com/error?code={code.removeprefix('AADSTS')}")
    return cure.replace("{tenant}", f" --tenant {tenant}" if tenant else "")

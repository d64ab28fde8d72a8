"""Azure Resource Manager's error codes: what each means for whoever wants to score, and what to do about it. Pure.

Source: Microsoft Learn, "Troubleshoot common Azure deployment errors" and the pages it links to (policy, locks, deny
assignments, resource not found, register resource provider). A role is named for AuthorizationFailed only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.credentials.failure import FailureKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmError:
    """One code. `says` goes before ARM's own message, `cure` is the hint."""

    kind: FailureKind
    says: str
    cure: str


_POLICY = ArmError(
    kind=FailureKind.FORBIDDEN,
    says="an Azure Policy forbids it",
    cure="a role does not help: ask the owner of the policy that the message names for an exemption",
)
_LOCK = ArmError(
    kind=FailureKind.FORBIDDEN,
    says="a lock is on the resource, and for Azure listing keys is a write",
    cure="have the read-only lock removed for the run, or measure an endpoint of auth mode aad_token",
)
_PRIVATE = ArmError(
    kind=FailureKind.NETWORK,
    says="the workspace answers in its private network only",
    cure="run from a machine in that network, or through its private endpoint",
)
_SUBSCRIPTION = ArmError(
    kind=FailureKind.NOT_FOUND,
    says="no such subscription, or the principal cannot see it",
    cure="check --subscription-id against `az account list`, and the tenant the principal is signed in to",
)
_REGISTER = ArmError(
    kind=FailureKind.FORBIDDEN,
    says="the subscription is not registered for Azure Machine Learning",
    cure="have it registered: az provider register --namespace Microsoft.MachineLearningServices",
)
_DISABLED = ArmError(
    kind=FailureKind.FORBIDDEN,
    says="the subscription is disabled, so that nothing can be listed",
    cure="it was cancelled, is unpaid, or has reached its spending limit: ask its owner",
)
_TOKEN = ArmError(
    kind=FailureKind.IDENTITY,
    says="ARM refused the principal's token",
    cure="sign in again: `az login`",
)

CODES: dict[str, ArmError] = {
    "DenyAssignmentAuthorizationFailed": ArmError(
        kind=FailureKind.FORBIDDEN,
        says="a deny assignment forbids it, whatever roles the principal has",
        cure="ask the owner of the deny assignment that the message names (a managed application, a blueprint)",
    ),
    "ExpiredAuthenticationToken": _TOKEN,
    "InvalidAuthenticationToken": _TOKEN,
    "InvalidAuthenticationTokenTenant": ArmError(
        kind=FailureKind.IDENTITY,
        says="the principal is signed in to another tenant than the subscription's",
        cure="sign in there: `az login --tenant {tenant}`, or give --tenant-id {tenant}",
    ),
    "InvalidSubscriptionId": _SUBSCRIPTION,
    "LinkedAuthorizationFailed": ArmError(
        kind=FailureKind.FORBIDDEN,
        says="the principal may not use another resource that this one is linked to",
        cure="ask for the action on the scope that the message names",
    ),
    "MissingSubscriptionRegistration": _REGISTER,
    "NoRegisteredProviderFound": _REGISTER,
    "PublicNetworkAccessDisabled": _PRIVATE,
    "ReadOnlyDisabledSubscription": _DISABLED,
    "RequestDisallowedByAzure": _POLICY,
    "RequestDisallowedByPolicy": _POLICY,
    "ResourceGroupNotFound": ArmError(
        kind=FailureKind.NOT_FOUND,
        says="no such resource group in the subscription",
        cure="check --resource-group and --subscription-id",
    ),
    "ScopeLocked": _LOCK,
    "SubscriptionNotFound": _SUBSCRIPTION,
    "SubscriptionNotRegistered": _REGISTER,
}
"""Code -> what it means. AuthorizationFailed and ResourceNotFound depend on what the message names."""

_PRIVATE_WORDS = re.compile(r"public network access|private (?:endpoint|link)", re.IGNORECASE)
_WORKSPACE_ONLY = re.compile(r"MachineLearningServices/workspaces/[^/'\s]+'", re.IGNORECASE)
_TENANTS = re.compile(
    r"(?:sts\.windows\.net|login\.windows\.net|login\.microsoftonline\.\w+)/([0-9a-f-]{36})", re.IGNORECASE
)


def meaning_of(code: str, message: str) -> ArmError | None:
    """What `code` means; None for one that has no entry and whose message says nothing known."""
    if code in CODES:
        return CODES[code]
    return _PRIVATE if _PRIVATE_WORDS.search(message) else None


def is_about_the_workspace(message: str) -> bool:
    """Whether the resource that a ResourceNotFound names is the workspace itself, and not something in it."""
    return _WORKSPACE_ONLY.search(message) is not None


def wanted_tenant(challenge: str, message: str) -> str:
    """The tenant that ARM wants, from its WWW-Authenticate header, else from the message, which names it last."""
    for text in (challenge, message):
        if found := _TENANTS.findall(text):
            return str(found[-1])
    return ""

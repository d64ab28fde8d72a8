"""How Azure words its refusals: ARM's error codes, a proxy's web page, Entra's AADSTS codes. Pure.

ARM: Microsoft Learn, "Troubleshoot common Azure deployment errors" and the pages it links to; the texts are those that
people quote in public issues, with the names left out. Entra: Microsoft Learn, "Microsoft Entra authentication and
authorization error codes".
"""

from __future__ import annotations

from bench.emulator.messages import Response, arm_error

_OTHER_TENANT = "99999999-0000-4000-8000-00000000cafe"
_WORKSPACE = "Microsoft.MachineLearningServices/workspaces"

ARM_REFUSALS: dict[str, tuple[int, str, str]] = {
    "policy": (
        403,
        "RequestDisallowedByPolicy",
        'Resource \'ep\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"no-keys"}}]\'.',
    ),
    "deny_assignment": (
        403,
        "DenyAssignmentAuthorizationFailed",
        (
            "The client has permission to perform the action; however, the access is denied because of the deny "
            "assignment with name 'managed app' and Id 'a1' at scope '/subscriptions/s'."
        ),
    ),
    "linked": (
        403,
        "LinkedAuthorizationFailed",
        (
            "The client has permission to perform the action; however, it does not have permission to perform "
            "action 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s) '/s'."
        ),
    ),
    "locked": (
        409,
        "ScopeLocked",
        (
            "The scope cannot perform write operation because following scope(s) are locked: '/subscriptions/s/rg'. "
            "Please remove the lock and try again."
        ),
    ),
    "private": (
        403,
        "Forbidden",
        "Public network access is disabled for this workspace. Please use a private endpoint to reach it.",
    ),
    "disabled_subscription": (
        409,
        "ReadOnlyDisabledSubscription",
        "The subscription 's' is disabled and therefore marked as read only. You cannot perform any write actions.",
    ),
    "unregistered": (
        409,
        "MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.MachineLearningServices'.",
    ),
    "tenant": (
        401,
        "InvalidAuthenticationTokenTenant",
        (
            "The access token is from the wrong issuer 'https://sts.windows.net/t/'. It must match the tenant "
            f"'https://sts.windows.net/{_OTHER_TENANT}/' associated with this subscription."
        ),
    ),
    "no_subscription": (404, "SubscriptionNotFound", "The subscription 's' could not be found."),
    "no_group": (404, "ResourceGroupNotFound", "Resource group 'g' could not be found."),
    "no_workspace": (
        404,
        "ResourceNotFound",
        f"The Resource '{_WORKSPACE}/w' under resource group 'g' was not found.",
    ),
    "proxy": (403, "", ""),
}
"""The word of a fault script -> status, code and message."""

ENTRA_ERRORS: dict[str, str] = {
    "7000215": "Invalid client secret provided. Ensure the secret sent is the client secret value.",
    "7000222": "The provided client secret keys for app 'a' are expired. Visit the Azure portal to create new keys.",
    "700016": "Application with identifier 'a' was not found in the directory 'Contoso'.",
    "50076": "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
    "50173": "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    "53003": "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    "90002": "Tenant 't' not found. Check to make sure you have the correct tenant ID.",
    "700024": "Client assertion is not within its valid time range.",
    "700213": "No matching federated identity record found for presented assertion subject 'repo:x'.",
    "500011": "The resource principal named https://ml.azure.com was not found in the tenant named Contoso.",
    "700027": "The certificate with identifier used to sign the client assertion is not registered on application.",
}
"""Code, without its prefix -> what Entra says."""

_PROXY_PAGE = b"<html><head><title>Access Denied</title></head><body>Blocked by the company's web filter.</body></html>"


def arm_refusal(word: str) -> Response:
    """The answer that `word` stands for."""
    status, code, message = ARM_REFUSALS[word]
    if word == "proxy":
        return Response(status=status, body=_PROXY_PAGE, headers=(("content-type", "text/html"), ("server", "squid")))
    response = arm_error(status, code, message)
    if word == "tenant":
        challenge = f'Bearer authorization_uri="https://login.windows.net/{_OTHER_TENANT}", error="invalid_token"'
        return response.with_headers(("www-authenticate", challenge))
    return response

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
    "expired": (401, "ExpiredAuthenticationToken", "The access token expiry UTC time '1/1/2026' is earlier than now."),
    "azure_policy": (403, "RequestDisallowedByAzure", "Resource 'ep' was disallowed by Azure: region not allowed."),
    "private_only": (403, "PublicNetworkAccessDisabled", "Public network access is disabled for the workspace."),
    "not_registered": (409, "SubscriptionNotRegistered", "The subscription is not registered with the provider."),
    "no_provider": (
        400,
        "NoRegisteredProviderFound",
        "No registered resource provider found for location 'x' and API version 'y' for type 'workspaces'.",
    ),
    "bad_subscription": (400, "InvalidSubscriptionId", "The provided subscription identifier 's' is malformed."),
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
    "16000": "User account 'a' from identity provider 'p' does not exist in tenant 't'.",
    "500011": "The resource principal named https://ml.azure.com was not found in the tenant named Contoso.",
    "50020": "User account 'a' from identity provider 'p' does not exist in tenant 'Contoso'.",
    "50034": "The user account does not exist in the directory.",
    "50053": "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    "50055": "The password is expired.",
    "50057": "The user account is disabled.",
    "50058": "A silent sign-in request was sent but no user is signed in.",
    "50076": "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
    "50078": "Presented multi-factor authentication has expired due to policies configured by your administrator.",
    "50079": "Due to a configuration change made by your administrator, you must enroll in it.",
    "50105": "Your administrator has configured the application to block users unless they are granted access.",
    "50126": "Error validating credentials due to invalid username or password.",
    "50173": "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    "50196": "The server terminated an operation because it encountered a client request loop.",
    "53000": "Device is not in required device state: compliant. It is required by policy.",
    "53001": "Device is not in required device state: domain_joined. Conditional Access policy requires it.",
    "53003": "Access has been blocked by Conditional Access policies.",
    "530003": "Your device is required to be managed to access this resource.",
    "65001": "The user or administrator has not consented to use the application with ID 'a'.",
    "700003": "Your organization has deleted this device.",
    "700016": "Application with identifier 'a' was not found in the directory 'Contoso'.",
    "70021": "No matching federated identity record found for presented assertion.",
    "700024": "Client assertion is not within its valid time range.",
    "700027": "The certificate with identifier used to sign the client assertion is not registered on application.",
    "70043": "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
    "700082": "The refresh token has expired due to inactivity.",
    "700084": "The refresh token was issued to a single page app, and therefore has a fixed, limited lifetime.",
    "7000112": "Application 'a' is disabled.",
    "700211": "No matching federated identity record found for presented assertion issuer 'https://i'.",
    "700212": "No matching federated identity record found for presented assertion audience 'api://x'.",
    "700213": "No matching federated identity record found for presented assertion subject 'repo:x'.",
    "7000215": "Invalid client secret provided. Ensure the secret sent is the client secret value.",
    "7000222": "The provided client secret keys for app 'a' are expired. Visit the Azure portal to create new keys.",
    "7000229": "The client application 'a' is missing service principal in the tenant 't'.",
    "90002": "Tenant 't' not found. Check to make sure you have the correct tenant ID.",
    "90033": "The directory service is not available. Please try again later.",
    "90038": "The specified tenant 't' belongs to the National Cloud 'n'.",
    "900382": "Confidential Client is not supported in Cross Cloud request.",
    "900023": "Specified tenant identifier 't' is neither a valid DNS name, nor a valid external domain.",
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

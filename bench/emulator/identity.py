"""Where tokens of a principal come from: managed identity (App Service and machine) and Entra. Pure.

Managed identity: Microsoft Learn, "Use managed identities for App Service", api-version 2019-08-01, and "How to use
managed identities on an Azure VM" (metadata service, api-version 2018-02-01); plain http.
Entra: OAuth 2.0 client credentials, v2.0 endpoint, with a secret or a federated assertion; only over TLS, as
azure-identity insists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import parse_qsl

from bench.emulator.messages import Handled, Request, Response, as_json
from bench.emulator.outages import altered, identity_outage
from bench.emulator.refusals import ENTRA_ERRORS
from bench.emulator.roles import Principal
from bench.emulator.settings import CLOUDS
from bench.emulator.state import State
from bench.emulator.tokens import IssuedToken, TokenKind

_SCORING_AUDIENCES = {scoring for _, scoring in CLOUDS.values()}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IdentitySecrets:
    """What proves to be the managed identity (`IDENTITY_HEADER`) and the service principal (secret or assertion)."""

    header: str
    client_secret: str


def identify(request: Request, state: State, secrets: IdentitySecrets, *, base_url: str, now_s: float) -> Handled:
    """Answer one request to an identity endpoint."""
    operation = _operation(request, state)
    fault = state.conditions.identity if operation in ("msi_token", "entra_token", "entra_discovery") else None
    response = identity_outage(fault) if fault else None
    if response is None:
        answers = {"msi_token": _msi_token, "entra_token": _entra_token}
        if operation in answers:
            response = answers[operation](request, state, secrets, now_s)
        elif operation == "entra_discovery":
            response = as_json(200, discovery(base_url, state.settings.tenant_id))
        elif operation == "entra_keys":
            response = as_json(200, state.authority.public_keys())
        else:
            response = _error(404, "not_found", f"No such identity endpoint: {request.path}")
        if fault:
            response = altered(response, fault, now_s)
    if fault:
        state.on_used(fault)
    principal = {"msi_token": "managed_identity", "entra_token": "service_principal"}.get(operation, "")
    return Handled(response=response, operation=operation, principal=principal, fault=fault.answer if fault else "")


def discovery(base_url: str, tenant_id: str) -> dict[str, object]:
    """The OpenID Connect discovery document that MSAL reads first."""
    authority = f"{base_url}/{tenant_id}"
    return {
        "issuer": f"{authority}/v2.0",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }


def _operation(request: Request, state: State) -> str:
    path = request.path.lower()
    if request.method == "GET" and path in ("/msi/token", "/metadata/identity/oauth2/token"):
        return "msi_token"
    if not request.secure:
        return "unknown"
    tenant = state.settings.tenant_id
    return {
        ("GET", f"/{tenant}/v2.0/.well-known/openid-configuration"): "entra_discovery",
        ("POST", f"/{tenant}/oauth2/v2.0/token"): "entra_token",
        ("GET", f"/{tenant}/discovery/v2.0/keys"): "entra_keys",
    }.get((request.method, path), "unknown")


def _msi_token(request: Request, state: State, secrets: IdentitySecrets, now_s: float) -> Response:
    of_a_machine = request.path.lower().startswith("/metadata/")
    given = request.headers.get("x-identity-header", "")
    if of_a_machine and request.headers.get("metadata", "").lower() != "true":
        return _error(400, "invalid_request", "Required metadata header not specified")
    if not of_a_machine and not compare_digest(given.encode(), secrets.header.encode()):
        return _error(401, "unauthorized", "The X-IDENTITY-HEADER does not match.")
    if of_a_machine and state.conditions.no_machine_identity:
        return _error(400, "invalid_request", "Identity not found")
    resource = request.query.get("resource", "")
    if not resource or "api-version" not in request.query:
        return _error(400, "invalid_request", "resource and api-version are required.")
    principal = state.managed_identity
    if request.query.get("client_id", principal.client_id) != principal.client_id:
        return _error(400, "invalid_request", "No managed identity with that client_id.")
    token = _issue(state, principal, resource, now_s)
    return as_json(
        200,
        {
            "access_token": token.secret,
            "expires_on": str(token.expires_s),
            "expires_in": str(max(0, token.expires_s - int(now_s + state.conditions.skew_s))),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        },
    )


def _entra_token(request: Request, state: State, secrets: IdentitySecrets, now_s: float) -> Response:
    form: Mapping[str, str] = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    principal = state.service_principal
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "AADSTS70003: The app asked for an unsupported grant type.")
    if form.get("client_id") != principal.client_id:
        return _error(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
    if "client_assertion" in form:
        if not compare_digest(form["client_assertion"].encode(), secrets.client_secret.encode()):
            return _error(400, "invalid_client", f"AADSTS700213: {ENTRA_ERRORS['700213']}")
    elif not compare_digest(form.get("client_secret", "").encode(), secrets.client_secret.encode()):
        return _error(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
    scope = form.get("scope", "")
    if not scope.endswith("/.default"):
        return _error(400, "invalid_scope", "AADSTS1002012: The scope must be of the form <resource>/.default.")
    token = _issue(state, principal, scope.removesuffix("/.default"), now_s)
    life_s = max(0, token.expires_s - int(now_s + state.conditions.skew_s))
    return as_json(
        200,
        {"token_type": "Bearer", "expires_in": life_s, "ext_expires_in": life_s, "access_token": token.secret},
    )


def _issue(state: State, principal: Principal, resource: str, now_s: float) -> IssuedToken:
    scoring = resource.rstrip("/").lower() in _SCORING_AUDIENCES
    life_s = state.settings.tokens.aad_life_s if scoring else state.settings.tokens.arm_life_s
    return state.authority.issue(
        TokenKind.AAD_TOKEN if scoring else TokenKind.ARM,
        audience=resource,
        client_id=principal.client_id,
        object_id=principal.object_id,
        tenant_id=state.settings.tenant_id,
        now_s=now_s,
        life_s=life_s,
        refresh_after_s=life_s / 2,
        skew_s=state.conditions.skew_s,
    )


def _error(status: int, error: str, description: str) -> Response:
    return as_json(status, {"error": error, "error_description": description})

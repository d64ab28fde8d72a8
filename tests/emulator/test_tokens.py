"""Tokens: signed, verified, and refused for the right reason."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from bench.emulator.tokens import IssuedToken, TokenAuthority, TokenKind, TokenRefusedError

NOW = 1_800_000_000.0
HERE = frozenset({"here"})


@pytest.fixture(scope="module")
def authority() -> TokenAuthority:
    return TokenAuthority("https://issuer/")


def issue(authority: TokenAuthority, **changes: Any) -> IssuedToken:
    words: dict[str, Any] = {
        "audience": "here",
        "client_id": "client",
        "object_id": "object",
        "tenant_id": "tenant",
        "now_s": NOW,
        "life_s": 60.0,
        "refresh_after_s": 30.0,
        "skew_s": 0.0,
    }
    return authority.issue(TokenKind.AML_TOKEN, **(words | changes))


def reason(authority: TokenAuthority, secret: str, *, now_s: float = NOW, kind: TokenKind = TokenKind.AML_TOKEN) -> str:
    try:
        authority.verify(secret, kind=kind, audiences=HERE, now_s=now_s)
    except TokenRefusedError as exc:
        return exc.reason
    return "ok"


def test_a_token_is_a_real_rs256_jwt(authority: TokenAuthority):
    """Anybody with the published key set can verify it."""
    now_s = time.time()
    token = issue(authority, now_s=now_s)
    key = jwt.PyJWKSet.from_dict(authority.public_keys())["bench-emulator"]
    claims = jwt.decode(token.secret, key, algorithms=["RS256"], audience="here", issuer="https://issuer/")
    assert claims["exp"] == token.expires_s == int(now_s + 60)
    assert token.refresh_after_s == int(now_s + 30)


def test_expiry_is_looked_at_every_time(authority: TokenAuthority):
    """A token that was accepted a moment ago is refused from its last second on, though its signature is remembered."""
    secret = issue(authority).secret
    assert [reason(authority, secret, now_s=NOW + age) for age in (0, 59.9, 60, 0)] == ["ok", "ok", "expired", "ok"]


def test_a_wrong_audience_or_kind_is_refused(authority: TokenAuthority):
    """A token opens the door it was made for, and no other."""
    assert reason(authority, issue(authority, audience="elsewhere").secret) == "audience"
    assert reason(authority, issue(authority).secret, kind=TokenKind.AAD_TOKEN) == "audience"


def test_forged_tokens_are_refused(authority: TokenAuthority):
    """Another signer, a changed claim, no signature at all, or plain nonsense."""
    secret = issue(authority).secret
    head, claims, signature = secret.split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"exp": NOW + 9999}
    longer = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    unsigned = jwt.encode({"aud": "here", "iss": "https://issuer/"}, None, algorithm="none")
    stranger = TokenAuthority("https://issuer/")
    assert reason(authority, issue(stranger).secret) == "signature"
    assert reason(authority, f"{head}.{longer}.{signature}") == "signature"
    assert reason(authority, unsigned) == "malformed"
    assert reason(authority, "nonsense") == "malformed"


def test_revoking_refuses_what_was_issued_and_nothing_later(authority: TokenAuthority):
    """Tokens of that kind issued so far are refused; the next one is good."""
    before = issue(authority).secret
    authority.revoke(TokenKind.AAD_TOKEN)
    assert reason(authority, before) == "ok"
    authority.revoke(TokenKind.AML_TOKEN)
    assert reason(authority, before) == "revoked"
    assert reason(authority, issue(authority).secret) == "ok"


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
def test_a_skewed_clock_changes_what_a_token_says_and_not_how_long_it_lives(authority: TokenAuthority, skew_s: float):
    """Its times are those of the skewed clock; it is refused after its true life."""
    token = issue(authority, skew_s=skew_s)
    assert token.expires_s == NOW + skew_s + 60
    assert [reason(authority, token.secret, now_s=NOW + age) for age in (0, 59, 61)] == ["ok", "ok", "expired"]

"""Tokens as Azure makes them: RS256 JWTs, signed and really verified. Pure but for making its own RSA key.

`routes` and `identity` issue, `admission` and `routes` verify. The signature of a token is checked once
and remembered by its bytes (0.1 ms of CPU, which 15,000 requests a second cannot pay each time); expiry,
audience and revocation are looked at on every request.

A skewed service clock shifts what a token *says*; how long it really lives stays as asked, because the
skew it was signed with travels in a private claim. So a skew is to the client just what a wrong clock
of its own would be.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

_REMEMBERED = 4096
_KEY_ID = "bench-emulator"


class TokenKind(StrEnum):
    """What a token opens: an endpoint with Azure ML's own token, one with Entra's, or the control plane."""

    AML_TOKEN = "aml_token"  # noqa: S105 - Azure's word for the mode, not a secret
    AAD_TOKEN = "aad_token"  # noqa: S105 - Azure's word for the mode, not a secret
    ARM = "arm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """A token whose signature held. Times are wall-clock seconds; `skew_s` is what its signer's clock was off."""

    kind: str
    audience: str
    client_id: str
    serial: int
    not_before_s: float
    expires_s: float
    skew_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token and the times that are sent with it (whole epoch seconds, as Azure sends them)."""

    secret: str
    expires_s: int
    refresh_after_s: int


class TokenRefusedError(Exception):
    """A token does not open the door; `reason` is malformed, signature, audience, expired or revoked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenAuthority:
    """Signs and verifies every token of the emulator. `now_s` is always the unskewed wall clock."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = self._private.public_key()
        self._serial = 0
        self._revoked_up_to: dict[str, int] = dict.fromkeys(TokenKind, 0)
        self._verified: dict[str, Claims] = {}

    def issue(
        self,
        kind: TokenKind,
        *,
        audience: str,
        client_id: str,
        object_id: str,
        tenant_id: str,
        now_s: float,
        life_s: float,
        refresh_after_s: float,
        skew_s: float,
    ) -> IssuedToken:
        """A token that opens `audience` for `life_s` from now."""
        self._serial += 1
        said_now = now_s + skew_s
        expires_s = int(said_now + life_s)
        claims = {
            "aud": audience,
            "iss": self._issuer,
            "iat": int(said_now),
            "nbf": int(said_now),
            "exp": expires_s,
            "appid": client_id,
            "oid": object_id,
            "sub": object_id,
            "tid": tenant_id,
            "ver": "1.0",
            "emu_kind": kind.value,
            "emu_serial": self._serial,
            "emu_skew": skew_s,
        }
        secret = jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": _KEY_ID})
        return IssuedToken(secret=secret, expires_s=expires_s, refresh_after_s=int(said_now + refresh_after_s))

    def verify(self, secret: str, *, kind: TokenKind, audiences: frozenset[str], now_s: float) -> Claims:
        """The claims of a token that opens one of `audiences` now. TokenRefusedError says why it does not."""
        claims = self._verified.get(secret) or self._check_signature(secret)
        if claims.kind != kind or claims.audience not in audiences:
            raise TokenRefusedError("audience")
        if claims.serial <= self._revoked_up_to[kind]:
            raise TokenRefusedError("revoked")
        said_now = now_s + claims.skew_s
        if said_now >= claims.expires_s or said_now < claims.not_before_s:
            raise TokenRefusedError("expired")
        return claims

    def revoke(self, kind: TokenKind) -> None:
        """Make every token of `kind` issued so far invalid."""
        self._revoked_up_to[kind] = self._serial

    def public_keys(self) -> dict[str, Any]:
        """The signing key as a JSON Web Key Set."""
        numbers = self._public.public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID}
        return {"keys": [{**key, "n": _base64url(numbers.n), "e": _base64url(numbers.e)}]}

    def _check_signature(self, secret: str) -> Claims:
        try:
            claims = jwt.decode(
                secret,
                self._public,
                algorithms=["RS256"],
                issuer=self._issuer,
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError as exc:
            raise TokenRefusedError("signature") from exc
        except jwt.PyJWTError as exc:
            raise TokenRefusedError("malformed") from exc
        verified = Claims(
            kind=str(claims["emu_kind"]),
            audience=str(claims["aud"]),
            client_id=str(claims["appid"]),
            serial=int(claims["emu_serial"]),
            not_before_s=float(claims["nbf"]),
            expires_s=float(claims["exp"]),
            skew_s=float(claims["emu_skew"]),
        )
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[secret] = verified
        return verified


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

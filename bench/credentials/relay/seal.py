"""Relay messages, sealed: nobody on the network can read, forge, redirect or replay one. Pure, but for entropy.

Who calls it: the relay's two ends. A message is AES-256-GCM under a key derived (HKDF-SHA256) from the relay key and
the run; both ends and the sequence number are authenticated with it. A receiver keeps the numbers it has seen of each
sender within a window (as IPsec does, RFC 4303 section 3.4.3), so that order may differ and nothing counts twice.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bench.errors import UsageError

ENVIRONMENT_NAME = "BENCH_RELAY_KEY"
_SHORTEST_KEY = 32
_NONCE_BYTES = 12
_WINDOW = 1024


class SealBroken(Exception):
    """The message is not for us, not from whom it says, or not new."""


class OtherKey(SealBroken):
    """The sender has another relay key, or is in another run."""


@dataclass(frozen=True, slots=True)
class RelayKey:
    """What the master and its workers share. One that nobody gave is known to this process and its forks only."""

    secret: bytes = field(repr=False)
    is_given: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RelayKey:
        """BENCH_RELAY_KEY where it is set, else a new key. UsageError when it is too short to be one."""
        text = environment.get(ENVIRONMENT_NAME, "")
        if not text:
            return cls(secrets.token_bytes(_SHORTEST_KEY))
        if len(text) < _SHORTEST_KEY:
            raise UsageError(f"{ENVIRONMENT_NAME} is too short", hint="make one with `openssl rand -hex 32`")
        return cls(text.encode(), is_given=True)

    def derive(self, purpose: str, length: int) -> bytes:
        """A key of its own for `purpose`."""
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"bench relay 1 {purpose}".encode()).derive(
            self.secret
        )


class Sealer:
    """One end of the relay, called `me` (unique in the run)."""

    def __init__(self, key: RelayKey, *, run_id: str, me: str) -> None:
        self._box = AESGCM(key.derive(f"seal {run_id}", 32))
        self._key_id = key.derive(f"name {run_id}", 8).hex()
        self._me = me
        self._sent = 0
        self._seen: dict[str, _Window] = {}

    def seal(self, message: Mapping[str, Any], *, to: str) -> dict[str, Any]:
        """An envelope of plain values."""
        self._sent += 1
        envelope = {"from": self._me, "to": to, "sequence": self._sent, "key": self._key_id}
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._box.encrypt(nonce, json.dumps(message).encode(), _associated(envelope))
        return {**envelope, "sealed": base64.b64encode(nonce + sealed).decode()}

    def open(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """What is in it. OtherKey when the ends do not share a key, SealBroken when it is forged, old or not for us."""
        try:
            if envelope["key"] != self._key_id:
                raise OtherKey
            if envelope["to"] != self._me:
                raise SealBroken
            sealed = base64.b64decode(envelope["sealed"], validate=True)
            opened = self._box.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _associated(envelope))
            if not self._seen.setdefault(envelope["from"], _Window()).admits(envelope["sequence"]):
                raise SealBroken
        except (InvalidTag, KeyError, TypeError, ValueError) as exc:
            raise SealBroken from exc
        message: dict[str, Any] = json.loads(opened)
        return message


def _associated(envelope: Mapping[str, Any]) -> bytes:
    return json.dumps([envelope["from"], envelope["to"], envelope["sequence"]]).encode()


class _Window:
    """The sequence numbers seen of one sender."""

    def __init__(self) -> None:
        self._highest = 0
        self._seen: set[int] = set()

    def admits(self, sequence: int) -> bool:
        """True the first time for a number that is not far behind the highest."""
        if sequence in self._seen or sequence <= self._highest - _WINDOW:
            return False
        self._seen.add(sequence)
        self._highest = max(self._highest, sequence)
        self._seen = {number for number in self._seen if number > self._highest - _WINDOW}
        return True

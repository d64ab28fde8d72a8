"""The certificate that this client shows to a server which asks for one (mTLS). Edge: reads two PEM files.

Kubernetes endpoints may want one at their ingress; Azure's own hosts never do. The private key goes from its file into
OpenSSL: it is in no object, message or file of this tool.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.errors import RunInvalid, UsageError

_MISMATCH = "KEY_VALUES_MISMATCH"
_MAKE_PEM = "give it as PEM: openssl pkcs12 -in FILE.pfx -nodes makes one of a .pfx"


class _Encrypted(Exception):
    """OpenSSL asks for a passphrase."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Paths of the certificate (with its chain) and of its key; without `key_file` the first file holds both."""

    cert_file: str = ""
    key_file: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As the options name it, looked at. Raises UsageError, and RunInvalid for one that is over."""
        given = cls(str(values.get("client_cert") or ""), str(values.get("client_key") or ""))
        if given.key_file and not given.cert_file:
            raise UsageError("--client-key without its certificate", hint="give that with --client-cert")
        if given:
            given.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return given

    def __bool__(self) -> bool:
        return bool(self.cert_file)

    @property
    def shown(self) -> str:
        """For messages: the subject, and until when it holds. Raises as `load_into`."""
        from cryptography import x509

        certificate = self._read(x509)
        return f"{certificate.subject.rfc4514_string()}, until {certificate.not_valid_after_utc:%Y-%m-%d}"

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have `context` show it. UsageError for files that are none, RunInvalid outside of its dates."""
        from cryptography import x509  # only where there is a certificate

        certificate = self._read(x509)
        now = dt.datetime.now(dt.UTC)
        if now > certificate.not_valid_after_utc or now < certificate.not_valid_before_utc:
            word, when = (
                ("expired on", certificate.not_valid_after_utc)
                if now > certificate.not_valid_after_utc
                else ("is not valid before", certificate.not_valid_before_utc)
            )
            raise RunInvalid(
                f"--client-cert {self.cert_file} {word} {when:%Y-%m-%d %H:%M} UTC",
                hint="have a new one issued, or check this host's clock",
            )
        self._load_key(context)

    def _read(self, x509: Any) -> Any:
        try:
            return x509.load_pem_x509_certificates(_bytes_of(self.cert_file, "--client-cert"))[0]
        except ValueError as exc:
            raise UsageError(f"--client-cert {self.cert_file} holds no certificate", hint=_MAKE_PEM) from exc

    def _load_key(self, context: ssl.SSLContext) -> None:
        where = f"--client-key {self.key_file}" if self.key_file else f"--client-cert {self.cert_file}"
        if self.key_file and not Path(self.key_file).is_dir():
            _bytes_of(self.key_file, "--client-key", at_most=1)
        try:
            context.load_cert_chain(self.cert_file, self.key_file or None, password=_refuse)
        except _Encrypted as exc:
            raise UsageError(
                f"{where}: the private key is encrypted",
                hint="decrypt it for the run: openssl pkey -in KEY -out PLAIN, readable by you alone",
            ) from exc
        except ssl.SSLError as exc:
            if exc.reason == _MISMATCH:
                message, hint = f"{where} is not the key of the certificate", "the two must have been issued together"
            elif self.key_file:
                message, hint = f"{where} holds no private key", _MAKE_PEM
            else:
                message, hint = f"{where} holds no private key", "give that with --client-key"
            raise UsageError(message, hint=hint) from exc
        except OSError as exc:
            raise UsageError(f"{where}: {exc.strerror or exc}", hint=_MAKE_PEM) from exc


NO_CERTIFICATE = ClientCertificate()


def _refuse() -> str:
    """In place of OpenSSL's own question on the terminal, which nobody would answer in CI."""
    raise _Encrypted


def _bytes_of(path: str, option: str, *, at_most: int = -1) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(at_most)
    except (OSError, ValueError) as exc:  # ValueError: a NUL, which no file's name can hold
        raise UsageError(
            f"{option} {path}: {getattr(exc, 'strerror', '') or exc}", hint="give a PEM file that you may read"
        ) from exc

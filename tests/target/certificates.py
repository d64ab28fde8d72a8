"""Client certificates as people have them: good ones, and every way in which one is no use."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from bench.target.client_certificate import ClientCertificate

_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, each in a file."""

    certificate: Path
    key: Path

    @property
    def client(self) -> ClientCertificate:
        return ClientCertificate(str(self.certificate), str(self.key))


def issued(ca: trustme.CA, folder: Path, name: str, *, expired: bool = False) -> Issued:
    """A certificate for the client called `name`."""
    span = {"not_before": _LONG_AGO, "not_after": _LONG_AGO + dt.timedelta(days=30)} if expired else {}
    leaf = ca.issue_cert(f"{name}.example.org", common_name=name, **span)
    made = Issued(folder / f"{name}.pem", folder / f"{name}.key")
    leaf.cert_chain_pems[0].write_to_path(made.certificate)
    leaf.private_key_pem.write_to_path(made.key)
    return made


def encrypted(key: Path) -> Path:
    """The same key behind a passphrase."""
    path = key.with_suffix(".encrypted")
    plain = load_pem_private_key(key.read_bytes(), None)
    path.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")))
    return path


def asking(server: ssl.SSLContext, ca_file: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """`server`'s context, which lets in only whom the authority in `ca_file` vouches for."""
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(ca_file)
    server.maximum_version = version
    return server

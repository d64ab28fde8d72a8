"""Certificates for test servers: good, expired, for another host."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.target.certificates import Issued, issued

_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Certificate:
    """Chain and private key in one PEM file."""

    pem: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context


class Authority:
    """Issues certificates for loopback servers."""

    def __init__(self, ca: trustme.CA, folder: Path) -> None:
        self._ca = ca
        self._folder = folder
        self.ca_file = str(folder / "ca.pem")
        ca.cert_pem.write_to_path(self.ca_file)

    def certificate(self, *names: str, expired: bool = False) -> Certificate:
        days = dt.timedelta(days=30)
        span = {"not_before": _LONG_AGO, "not_after": _LONG_AGO + days} if expired else {}
        leaf = self._ca.issue_cert(*names, **span)
        path = self._folder / f"{'-'.join(names).replace(':', '_')}{'-expired' if expired else ''}.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
        return Certificate(path)

    def client(self, folder: Path) -> Issued:
        """A client's certificate."""
        return issued(self._ca, folder, "client")

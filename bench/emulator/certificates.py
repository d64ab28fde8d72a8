"""A certificate authority made on the fly, and the server certificate it signed. Edge: writes the CA's file.

Only the CA's public part touches the disk; private keys live and die with the process.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from bench.emulator.settings import HOST


def make_certificates(ca_file: Path) -> ssl.SSLContext:
    """Write the new CA to `ca_file`; the context serves `127.0.0.1` and `localhost` over HTTP/1.1."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context

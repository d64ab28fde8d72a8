"""Which certificate authorities are trusted: one rule for ARM, Entra and scoring. Edge: environment and files.

REQUESTS_CA_BUNDLE (else CURL_CA_BUNDLE, else SSL_CERT_FILE) replaces the system's authorities, as everywhere; --ca-file
adds to them. The system's are OpenSSL's own and those of certifi, which `requests` trusts.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi

from bench.errors import UsageError

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def trusting_context(ca_file: str = "") -> ssl.SSLContext:
    """A context that verifies chain and host name; there is no other kind here. UsageError for a file that is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    given = _given(ca_file)
    if all(source == "--ca-file" for source, _ in given):
        context.load_default_certs()
        _load(context, "certifi", certifi.where())
    for source, place in given:
        _load(context, source, place)
    return context


def trusted_pem(ca_file: str = "") -> bytes:
    """The same authorities as one PEM text, for libraries that want a file. Raises UsageError."""
    trusting_context(ca_file)  # whatever is wrong with a file is said there
    given = _given(ca_file)
    places = [place for _, place in given]
    if all(source == "--ca-file" for source, _ in given):
        places = [*filter(None, (ssl.get_default_verify_paths().cafile, certifi.where())), *places]
    return b"\n".join(Path(place).read_bytes() for place in places if Path(place).is_file())


def _given(ca_file: str) -> list[tuple[str, str]]:
    """What replaces or joins the system's authorities, with who says so."""
    variable = next((name for name in VARIABLES if os.environ.get(name)), "")
    replacing = [(variable, os.environ[variable])] if variable else []
    return replacing + ([("--ca-file", ca_file)] if ca_file else [])


def _load(context: ssl.SSLContext, source: str, place: str) -> None:
    try:
        if source in VARIABLES and Path(place).is_dir():
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except (OSError, ValueError) as exc:  # ValueError: a NUL, which no file's name can hold
        raise UsageError(
            f"{source} {place}: {getattr(exc, 'strerror', '') or exc}",
            hint="give a PEM file of certificate authorities",
        ) from exc

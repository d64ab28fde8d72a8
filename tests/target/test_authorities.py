"""One rule for certificate authorities: --ca-file adds, the variables replace; the same for every library."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from bench.errors import UsageError
from bench.target.authorities import VARIABLES, trusted_pem, trusting_context


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """The authority of a company's proxy."""
    path = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def subjects(context: ssl.SSLContext) -> int:
    return len(context.get_ca_certs())


@pytest.mark.parametrize("source", ["--ca-file", *VARIABLES])
@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_a_file_that_is_none_is_named_with_its_source(
    source: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    if source != "--ca-file":
        monkeypatch.setenv(source, str(path))
    with pytest.raises(UsageError, match=f"^{source} .*ca.pem"):
        trusting_context(str(path) if source == "--ca-file" else "")


def test_an_option_adds(company: Path) -> None:
    """The system's authorities stay (D14)."""
    alone = subjects(trusting_context())
    assert alone > 1
    assert subjects(trusting_context(str(company))) == alone + 1


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_replaces(name: str, company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere, and for scoring too, which read one of them only (D14)."""
    monkeypatch.setenv(name, str(company))
    assert subjects(trusting_context()) == 1
    assert trusted_pem() == company.read_bytes()


def test_the_pem_holds_what_the_context_trusts(company: Path, tmp_path: Path) -> None:
    """`requests` is given a file, the wire a context: both trust the same."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(trusted_pem(str(company)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=bundle)
    assert {cert["serialNumber"] for cert in context.get_ca_certs()} >= {
        cert["serialNumber"] for cert in trusting_context(str(company)).get_ca_certs()
    }
    assert trusting_context().verify_mode is ssl.CERT_REQUIRED
    assert trusting_context().check_hostname

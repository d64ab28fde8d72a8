"""A client certificate that cannot be used is one line before anything is sent, and its key is nowhere."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from bench.errors import RunInvalid, UsageError
from bench.target.client_certificate import ClientCertificate
from tests.target.certificates import Issued, encrypted, issued


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def mine(ca: trustme.CA, tmp_path: Path) -> Issued:
    return issued(ca, tmp_path, "mine")


def given(certificate: Any, key: Any = "") -> ClientCertificate:
    return ClientCertificate.of({"client_cert": str(certificate), "client_key": str(key)})


def test_a_good_one(mine: Issued) -> None:
    """Who it is for and how long it holds is said; without options there is none."""
    assert "mine" in given(mine.certificate, mine.key).shown
    assert not ClientCertificate.of({})


def test_both_in_one_file(mine: Issued, tmp_path: Path) -> None:
    """As curl takes it."""
    both = tmp_path / "both.pem"
    both.write_bytes(mine.key.read_bytes() + mine.certificate.read_bytes())
    assert given(both)


def test_a_key_alone(mine: Issued) -> None:
    with pytest.raises(UsageError, match="--client-key without its certificate"):
        given("", mine.key)


def test_the_key_is_not_there(mine: Issued) -> None:
    """Neither in a file of its own nor with the certificate."""
    with pytest.raises(UsageError, match=r"--client-key .*gone: No such file"):
        given(mine.certificate, "/gone")
    with pytest.raises(UsageError, match=r"--client-cert .*mine\.pem holds no private key"):
        given(mine.certificate)
    with pytest.raises(UsageError, match=r"--client-cert /gone: No such file"):
        given("/gone", mine.key)


def test_an_encrypted_key_asks_nobody(mine: Issued, capfd: pytest.CaptureFixture[str]) -> None:
    """OpenSSL would ask on the terminal, where a CI job waits for ever."""
    with pytest.raises(UsageError, match="the private key is encrypted"):
        given(mine.certificate, encrypted(mine.key))
    assert capfd.readouterr() == ("", "")


def test_another_ones_key(mine: Issued, ca: trustme.CA, tmp_path: Path) -> None:
    other = issued(ca, tmp_path, "other")
    with pytest.raises(UsageError, match=r"other\.key is not the key of the certificate"):
        given(mine.certificate, other.key)


@pytest.mark.parametrize(
    "content", ["", "no PEM", "\0\0", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_pem(content: str, mine: Issued, tmp_path: Path) -> None:
    """Each file is named, and how a .pfx becomes one is said."""
    odd = tmp_path / "odd.pem"
    odd.write_text(content)
    with pytest.raises(UsageError, match=r"--client-cert .*odd\.pem holds no certificate") as caught:
        given(odd, mine.key)
    assert "openssl pkcs12" in caught.value.hint
    with pytest.raises(UsageError, match=r"--client-key .*odd\.pem holds no private key"):
        given(mine.certificate, odd)
    with pytest.raises(UsageError, match=r"--client-key"):
        given(mine.certificate, tmp_path)


def test_an_expired_one(ca: trustme.CA, tmp_path: Path) -> None:
    """Exit 4: there is a certificate, and no server will take it."""
    old = issued(ca, tmp_path, "old", expired=True)
    with pytest.raises(RunInvalid, match=r"old\.pem expired on 2001-01-31") as caught:
        given(old.certificate, old.key)
    assert caught.value.exit_code == 4


def test_no_error_shows_the_key(mine: Issued, ca: trustme.CA, tmp_path: Path) -> None:
    """Nor does the repr."""
    secret = mine.key.read_text().splitlines()[1]
    other = issued(ca, tmp_path, "other")
    with pytest.raises(UsageError) as caught:
        given(other.certificate, mine.key)
    assert secret not in caught.value.describe()
    assert secret not in repr(mine.client)
    mine.client.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

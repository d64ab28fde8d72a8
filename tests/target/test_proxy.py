"""Which proxy is on the way: as curl and `requests` choose it."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.target.proxy import Proxy, proxy_for, refusal


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("uri", ["socks5://p:1", "https://p:1", "http://p:port", "http://"])
def test_one_that_cannot_be_used(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and not a direct way that somebody's network does not have."""
    monkeypatch.setenv("HTTPS_PROXY", uri)
    with pytest.raises(UsageError, match="HTTPS_PROXY names no http proxy"):
        proxy_for("host", secure=True)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_of_https_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http would show it the secret."""
    monkeypatch.setenv(name, "http://p:8080")
    assert proxy_for("host", secure=True) == Proxy("p", 8080)
    assert proxy_for("host", secure=False) is None


def test_none() -> None:
    assert proxy_for("host", secure=True) is None


@pytest.mark.parametrize(
    ("exceptions", "host", "direct"),
    [
        (None, "127.0.0.1", True),
        (None, "localhost", True),
        (None, "host", False),
        ("", "127.0.0.1", False),
        ("other", "127.0.0.1", False),
        ("*", "host", True),
        ("azure.com", "x.azure.com", True),
        (".azure.com", "x.azure.com", True),
        ("*.azure.com", "x.azure.com", True),
        ("azure.com", "notazure.com", False),
        ("a, HOST:443 ,b", "host", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "host", False),
        ("10.0/x", "10.0.0.1", False),
    ],
)
def test_exceptions(exceptions: str | None, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY as written; loopback only where it is not set."""
    monkeypatch.setenv("HTTPS_PROXY", "http://p:8080")
    if exceptions is not None:
        monkeypatch.setenv("NO_PROXY", exceptions)
    assert (proxy_for(host, secure=True) is None) is direct


def test_its_user_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://name:hun%40ter2@p:8080")
    proxy = proxy_for("host", secure=True)
    assert proxy is not None
    assert proxy.shown == "p:8080"
    assert b"Proxy-Authorization: Basic bmFtZTpodW5AdGVyMg==" in proxy.connect_to("host:443")
    assert "bmFtZTpodW5AdGVyMg" not in repr(proxy)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200\r\n\r\n"])
def test_a_tunnel(head: bytes) -> None:
    assert refusal(head) == ""

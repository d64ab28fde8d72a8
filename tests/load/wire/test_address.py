"""Scoring URIs, as the wire reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.load.wire.address import Address, parse_address


@pytest.mark.parametrize(
    ("uri", "host", "port", "path", "authority"),
    [
        ("http://127.0.0.1:8080/score", "127.0.0.1", 8080, "/score", "127.0.0.1:8080"),
        ("http://example.org", "example.org", 80, "/", "example.org"),
        ("http://example.org:80/a?b=c#d", "example.org", 80, "/a?b=c", "example.org"),
        (
            "https://ep.westeurope.inference.ml.azure.com/score",
            "ep.westeurope.inference.ml.azure.com",
            443,
            "/score",
            "ep.westeurope.inference.ml.azure.com",
        ),
        ("https://EXAMPLE.org:443/", "example.org", 443, "/", "example.org"),
        ("https://example.org:80/", "example.org", 80, "/", "example.org:80"),
        ("http://example.org:443/", "example.org", 443, "/", "example.org:443"),
        ("http://[::1]:81/score", "::1", 81, "/score", "[::1]:81"),
        ("https://[2001:db8::1]/", "2001:db8::1", 443, "/", "[2001:db8::1]"),
    ],
)
def test_an_address(uri: str, host: str, port: int, path: str, authority: str) -> None:
    """Where to connect, and what the request line and the Host header say."""
    address = parse_address(uri)
    assert (address.host, address.port, address.path, address.authority) == (host, port, path, authority)
    assert (address.tls is not None) == uri.startswith("https")


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("", "not an http(s) URL"),
        ("example.org/score", "not an http(s) URL"),
        ("ftp://example.org/", "not an http(s) URL"),
        ("http:///score", "not an http(s) URL"),
        ("http://example.org:port/", "port"),
        ("http://example.org:99999/", "ort"),
        ("http://example.org:0/", "port 0"),
        ("http://[::1/", "IPv6"),
        ("http://key:hunter2@example.org/", "user name or password"),
        ("http://hunter2@example.org:port/", "user name or password"),
        ("ftp://key:hunter2@[::1/", "user name or password"),
        ("http://example.org/a b", "escaped"),
        ("http://example.org/a\r\nX: y", "escaped"),
        ("http://example.org/ü", "escaped"),
        ("http://exämple.org/", "escaped"),
        ("http://.example.org/", "not a host's name"),
        ("http://a..b/", "not a host's name"),
        (f"http://{'a' * 64}.org/", "not a host's name"),
    ],
)
def test_what_is_no_address(uri: str, word: str) -> None:
    """A wrong option, said in one line, before anything is sent."""
    with pytest.raises(UsageError) as caught:
        parse_address(uri)
    assert word in caught.value.describe() or "\r" in uri
    assert "hunter2" not in caught.value.describe()


@given(uri=st.text() | st.text().map("http://{}".format) | st.text().map("https://h/{}".format))
@settings(max_examples=300)
@example(uri="http://[")
@example(uri="http://[v1.x]/")
@example(uri="http://h\\x/")
def test_any_text_is_an_address_or_a_usage_error(uri: str) -> None:
    """What comes out can stand in a request line and a Host header."""
    try:
        address = parse_address(uri)
    except UsageError:
        return
    assert isinstance(address, Address)
    assert 0 < address.port < 65_536
    assert address.path.startswith("/")
    assert all("!" <= character <= "~" for character in address.authority + address.path)
    address.host.encode("idna")

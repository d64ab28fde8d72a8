"""Which requests come from a page of the web UI. What is refused from outside is in `test_bound_target`."""

from __future__ import annotations

import pytest

from bench.live.origin import WebHosts, is_loopback

LOOPBACK = WebHosts.of("127.0.0.1", ())
NAMED = WebHosts.of("0.0.0.0", ("Bench.Example.",))  # noqa: S104 - what is asked for


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8089", "localhost.:8089", "127.0.0.1", "127.8.8.8", "[::1]:1"]
)
def test_loopback_has_many_names(host: str) -> None:
    """Of any case and port."""
    assert not LOOPBACK.wrong_host(host)
    assert not NAMED.wrong_host(host)


@pytest.mark.parametrize("host", ["bench.example:8089", "BENCH.example", "10.1.2.3:8089", "[fd00::1]"])
def test_names_that_were_given(host: str) -> None:
    """An address is nobody's name that could be resolved anew, where the web UI listens on all of them."""
    assert not NAMED.wrong_host(host)
    assert LOOPBACK.wrong_host(host)


@pytest.mark.parametrize(
    "host", [None, "", ":80", "a b", "localhost:", "localhost:x", "localhost/", "xbench.example", "é"]
)
def test_what_cannot_be_read_is_refused(host: str | None) -> None:
    """There is no guessing."""
    assert LOOPBACK.wrong_host(host)
    assert NAMED.wrong_host(host)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:8089", "localhost:8089", True),
        ("HTTP://LOCALHOST:8089", "localhost:8089", True),
        ("http://[::1]:8089", "[::1]:8089", True),
        ("http://bench.example", "bench.example", True),
        ("http://bench.example", "bench.example:80", True),
        ("https://bench.example", "localhost:8089", True),  # a proxy in front that names itself to the server
        ("https://bench.example:444", "localhost:8089", False),
        ("http://127.0.0.1:8089", "localhost:8089", False),
        ("http://localhost", "localhost:8089", False),
        ("https://localhost", "localhost:80", False),
        ("http://evil.example", "evil.example", False),
        ("null", "localhost:8089", False),
        ("", "localhost:8089", False),
        ("file://localhost:8089", "localhost:8089", False),
        ("http://localhost:8089/x", "localhost:8089", False),
    ],
)
def test_the_origin_is_ours_or_it_is_not(origin: str, host: str, *, same: bool) -> None:
    """Name and port, with the scheme's own port where there is none."""
    assert (not NAMED.wrong_origin({"Origin": origin, "Host": host}, changes=True)) is same


def test_reading_asks_for_no_origin() -> None:
    """A browser keeps the answer from the other page by itself: there is no CORS header."""
    assert not LOOPBACK.wrong_origin({"Origin": "http://evil.example", "Host": "localhost"}, changes=False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("*", False),
        ("10.0.0.1", False),
        ("a", False),
    ],
)
def test_who_reaches_the_web_ui(host: str, *, loopback: bool) -> None:
    """What asks for a warning."""
    assert is_loopback(host) is loopback

"""Every shape of answer that RFC 9112 allows, from a server that sends exactly these bytes."""

from __future__ import annotations

import pytest
from gevent import get_hub

from bench.clock import monotonic_ns
from tests.load.engine.wiring import Wiring, in_greenlet, request_of
from tests.load.wire.scripted import OK, Peer, answering, scripted

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"

WHOLE = {
    "content-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 5),
    "no body by content-length 0": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0),
    "no body by 204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0),
    "no body by 304, whatever length it tells": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, 0),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, 5),
    "chunked with extensions": (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n',
        200,
        5,
    ),
    "chunked without a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, 0),
    "trailers": (
        CHUNKED + b"Trailer: ms-azureml-bandwidth-response-delay-ms\r\n\r\n5\r\nhello\r\n0\r\n"
        b"ms-azureml-bandwidth-response-delay-ms: 12\r\nms-azureml-bandwidth-request-delay-ms: 1\r\n\r\n",
        200,
        5,
    ),
    "100 Continue first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, 2),
    "102 and 103 with headers first": (
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" + OK,
        200,
        2,
    ),
    "empty header value": (b"HTTP/1.1 200 OK\r\nx-nothing:\r\nx-blank: \r\nContent-Length: 2\r\n\r\nok", 200, 2),
    "no reason phrase": (b"HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nno", 503, 2),
    "status line without a second space": (b"HTTP/1.1 503\r\nContent-Length: 2\r\n\r\nno", 503, 2),
    "an offer to upgrade that is not taken": (
        b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2,h2c\r\nContent-Length: 2\r\n\r\nok",
        200,
        2,
    ),
    "HTTP/1.0 with keep-alive": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        200,
        2,
    ),
    "60 kB of headers": (b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 60_000 + b"\r\nContent-Length: 2\r\n\r\nok", 200, 2),
}

LAST = {
    "connection: close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, 2),
    "HTTP/1.0 with a length": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, 2),
    "HTTP/1.0 whose body ends with the connection": (b"HTTP/1.0 200 OK\r\n\r\nhello", 200, 5),
    "HTTP/1.1 whose body ends with the connection": (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, 5),
    "empty body that ends with the connection": (b"HTTP/1.1 200 OK\r\n\r\n", 200, 0),
    "coded but not chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", 200, 5),
}

NOT_HTTP = {
    "garbage": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    "TLS where HTTP was expected": bytes.fromhex("15030100020246"),
    "two lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "chunk size that is no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\nok",
    "status that is no number": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok",
    "a protocol that was never asked for": b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/2 at once": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
}


@pytest.mark.parametrize("shape", WHOLE)
def test_an_answer_that_leaves_the_connection_open(shape: str, wiring: Wiring) -> None:
    """Status and size are right, and the next request goes out on the same connection."""
    answer, status, size = WHOLE[shape]
    with scripted(answering(answer)) as server:
        connection = wiring.connection(server.uri)
        for turn in range(3):
            seen = wiring.ask(connection)
            assert (seen.failure, seen.status, seen.response_bytes) == ("", status, size)
            assert (seen.connected, seen.kept) == (turn == 0, True)
        connection.close()
    assert server.accepted == 1


@pytest.mark.parametrize("shape", LAST)
def test_an_answer_that_ends_the_connection(shape: str, wiring: Wiring) -> None:
    """Status and size are right, nothing counts as a failure, and the next request makes a new connection."""
    answer, status, size = LAST[shape]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    with scripted(script) as server:
        connection = wiring.connection(server.uri)
        for _ in range(3):
            seen = wiring.ask(connection)
            assert (seen.failure, seen.status, seen.response_bytes) == ("", status, size)
            assert (seen.connected, seen.kept) == (True, False)
    assert server.accepted == 3


@pytest.mark.parametrize("shape", NOT_HTTP)
def test_what_is_not_an_answer_is_a_protocol_failure(shape: str, wiring: Wiring) -> None:
    """It is said at once, not at the deadline, and the connection is not used again."""
    with scripted(answering(NOT_HTTP[shape]), answering(OK)) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection, timeout_s=15)
        assert (seen.failure, seen.kept, seen.first_byte) == ("protocol", False, True)
        assert seen.detail
        assert wiring.ask(connection).failure == ""
    assert server.accepted == 2


@pytest.mark.parametrize("shape", WHOLE)
def test_an_answer_split_anywhere_is_the_same_answer(shape: str, wiring: Wiring) -> None:
    """Every boundary between two bytes may be one between two segments."""
    answer, status, size = WHOLE[shape]
    answer = answer.replace(b"y" * 60_000, b"y" * 20)
    connection = wiring.connection("http://127.0.0.1:1/")
    for split in range(1, len(answer)):
        connection.answer.renew()
        connection.answer.feed(answer[:split])
        connection.answer.feed(answer[split:])
        seen = connection.answer
        assert (seen.complete, seen.status, seen.response_bytes) == (True, status, size), split


def test_an_answer_that_comes_byte_by_byte(wiring: Wiring) -> None:
    """Slow headers and a slow body are an answer like any other."""
    answer = WHOLE["trailers"][0]

    def script(peer: Peer) -> None:
        peer.request()
        for byte in answer:
            peer.send(bytes([byte]))
        peer.wait_until_closed()

    with scripted(script) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection)
        connection.close()
    assert (seen.failure, seen.status, seen.response_bytes, seen.kept) == ("", 200, 5, True)


def test_what_azure_says_in_headers_is_kept(wiring: Wiring) -> None:
    """Server time, deployment and the model's error, in any case, and for this answer only."""
    answer = (
        b"HTTP/1.1 424 Failed Dependency\r\nMS-AzureML-Model-Error-Reason: model_error\r\n"
        b"X-MS-Run-Fn-Exec-MS: 12.925\r\nms-azureml-model-time: 99\r\n"
        b"AzureML-Model-Deployment: blue\r\nContent-Length: 5\r\n\r\nhello"
    )
    with scripted(answering(answer, OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        kept = connection.answer
        assert (kept.reason, kept.server_time_ms, kept.deployment) == (b"model_error", b"12.925", b"blue")
        assert (kept.run_failed, kept.body_start) == (False, b"hello")
        wiring.ask(connection)
        assert (kept.reason, kept.server_time_ms, kept.deployment, kept.body_start) == (b"", b"", b"", b"")
        connection.close()


def test_early_hints_and_trailers_are_not_the_answer(wiring: Wiring) -> None:
    """Whatever they say of deployment, time and failure."""
    said = (
        b"azureml-model-deployment: other\r\nx-ms-run-fn-exec-ms: 1\r\nx-ms-run-function-failed: true\r\n"
        b"ms-azureml-model-error-reason: hint\r\n"
    )
    answer = b"HTTP/1.1 103 Early Hints\r\n" + said + b"\r\n" + CHUNKED + b"\r\n2\r\nok\r\n0\r\n" + said + b"\r\n"
    with scripted(answering(answer)) as server:
        connection = wiring.connection(server.uri)
        assert wiring.ask(connection).status == 200
        kept = connection.answer
        assert (kept.reason, kept.server_time_ms, kept.deployment, kept.run_failed) == (b"", b"", b"", False)
        connection.close()


def test_of_a_refusal_the_start_is_kept(wiring: Wiring) -> None:
    """Enough to see why, not enough to fill the memory."""
    with scripted(answering(b"HTTP/1.1 401 No\r\nContent-Length: 100000\r\n\r\n" + b"key_auth" * 12_500)) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection)
        connection.close()
    assert (seen.status, seen.response_bytes) == (401, 100_000)
    assert connection.answer.body_start.startswith(b"key_auth")
    assert len(connection.answer.body_start) < 2_000


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nx-long: ", b"HTTP/1.1 200 ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_headers_without_end_are_given_up(head: bytes, wiring: Wiring) -> None:
    """Long before the deadline and long before they fill the memory."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head)
        try:
            for _ in range(10_000):
                peer.send(head if b"Continue" in head else b"y" * 10_000)
        except OSError:
            return  # the client has left, as it should
        raise AssertionError("the client took it all")

    with scripted(script) as server:
        seen = wiring.ask(wiring.connection(server.uri), timeout_s=15)
    assert (seen.failure, seen.kept) == ("protocol", False)
    assert server.errors == []


def test_two_answers_at_once_are_one_answer_and_the_end_of_the_connection(wiring: Wiring) -> None:
    """The first is the answer; a connection on which a second one came unasked for would mix up all that follow."""
    surprise = b"HTTP/1.1 500 Surprise\r\nContent-Length: 7\r\nazureml-model-deployment: other\r\n\r\noh well"
    with scripted(answering(OK + surprise), answering(OK)) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection)
        assert (seen.failure, seen.status, seen.response_bytes, seen.kept) == ("", 200, 2, False)
        assert connection.answer.deployment == b""
        assert wiring.ask(connection).status == 200
    assert server.accepted == 2


@pytest.mark.parametrize("shown", [1, 12, 30, 50])
def test_the_start_of_a_second_answer_ends_the_connection_too(shown: int, wiring: Wiring) -> None:
    """Else its rest would be taken for the answer to the next request."""
    surprise = b"HTTP/1.1 500 Surprise\r\nContent-Length: 7\r\n\r\noh well"

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK + surprise[:shown])
        if peer.request():
            peer.send(surprise[shown:] + OK)

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        assert wiring.ask(connection).kept is False
        seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.response_bytes) == ("", 200, 2)


def test_bytes_that_nobody_asked_for_end_an_idle_connection(wiring: Wiring) -> None:
    """A 408 on an idle connection is not the answer to the next request."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        peer.wait_until_closed()

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        assert wiring.ask(connection).status == 200
        done_ns = connection.done_ns
        wiring.await_close(connection)
        assert (connection.done_ns, connection.answer.status) == (done_ns, 200)
        seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.connected) == ("", 200, True)


def test_times_are_in_order_even_without_a_watch() -> None:
    """Polls that nobody timed are no reason for an answer before its request."""
    wiring = Wiring()
    with scripted(answering(OK)) as server:
        connection = wiring.connection(server.uri)
        assert in_greenlet(lambda: connection.open(deadline_ns=monotonic_ns() + 10**10)) == ""
        for _ in range(3):
            assert wiring.ask(connection).status == 200
        connection.close()


def test_the_request_arrives_as_it_was_built(wiring: Wiring) -> None:
    """Byte for byte, small and large, one after the other."""
    requests = [request_of(b"x" * size) for size in (0, 1, 65_000, 66_000, 3_000_000)]
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        while request := peer.request():
            got.append(request)
            peer.send(OK)

    with scripted(script) as server:
        connection = wiring.connection(server.uri)
        for request in requests:
            assert wiring.ask(connection, request).failure == ""
        connection.close()
    assert got == requests


def test_a_large_body_leaves_the_hub_to_the_others(wiring: Wiring) -> None:
    """However fast the server reads, all other users get their turn between two pieces of 64 kB."""
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    poll = get_hub().loop.check()
    poll.start(count)
    with scripted(answering(OK)) as server:
        connection = wiring.connection(server.uri)
        assert wiring.ask(connection, request_of(b"x" * 3_000_000)).failure == ""
        connection.close()
    poll.stop()
    poll.close()
    assert turns >= 3_000_000 // 65_536


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 d\xc3\xa9j\xc3\xa0\r\nX-A: \xc3\xa9\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_what_curl_takes_is_taken(raw: bytes, wiring: Wiring) -> None:
    """Sloppy, and understood by everybody (curl 7.88 took each of these)."""
    with scripted(answering(raw)) as server:
        seen = wiring.ask(wiring.connection(server.uri))
    assert (seen.failure, seen.status, seen.response_bytes) == ("", 200, 2)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "Duplicate Content-Length"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "Invalid header token"),
        (b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", "Invalid HTTP version"),
    ],
)
def test_what_is_not_taken_says_why(raw: bytes, why: str, wiring: Wiring) -> None:
    """The parser's own words are the failure's detail, and are kept with the first failure of its kind."""
    with scripted(answering(raw)) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection)
    assert seen.failure == "protocol"
    assert why in connection.detail


def chunked_with(trailers: bytes, headers: bytes = b"") -> bytes:
    return CHUNKED + headers + b"\r\n2\r\nok\r\n0\r\n" + trailers + b"\r\n"


REQUEST_HELD, RESPONSE_HELD = b"ms-azureml-bandwidth-request-delay-ms", b"ms-azureml-bandwidth-response-delay-ms"


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        (chunked_with(RESPONSE_HELD + b": 12\r\n" + REQUEST_HELD + b": 1.5\r\n"), (b"1.5", b"12")),
        (chunked_with(b"MS-AzureML-Bandwidth-Request-Delay-MS: 7\r\n"), (b"7", b"")),
        (chunked_with(b"", headers=RESPONSE_HELD + b": 3\r\n"), (b"", b"3")),
        (b"HTTP/1.1 103 Early Hints\r\n" + REQUEST_HELD + b": 9\r\n\r\n" + OK, (b"", b"")),
        (chunked_with(b"ms-azureml-bandwidth-: 1\r\nms-azureml-bandwidth-what-else: 5\r\nx: 1\r\n"), (b"", b"")),
        (OK, (b"", b"")),
    ],
    ids=["both trailers", "in other letters", "as a header", "of an informational answer", "unknown ones", "none"],
)
def test_what_bandwidth_held_back(answer: bytes, held: tuple[bytes, bytes], wiring: Wiring) -> None:
    """Azure says it in trailers; the next answer on the same connection does not inherit it."""
    with scripted(answering(answer, OK)) as server:
        connection = wiring.connection(server.uri)
        for expected in (held, (b"", b"")):
            assert wiring.ask(connection).failure == ""
            assert (connection.answer.request_held_ms, connection.answer.response_held_ms) == expected
        connection.close()


def test_trailers_of_an_answer_that_nobody_asked_for(wiring: Wiring) -> None:
    """What comes after the whole answer says nothing about it."""
    answer = wiring.connection("http://127.0.0.1:1/").answer
    answer.feed(OK + chunked_with(REQUEST_HELD + b": 9\r\n", headers=RESPONSE_HELD + b": 9\r\n"))
    assert (answer.request_held_ms, answer.response_held_ms) == (b"", b"")

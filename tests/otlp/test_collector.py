"""Collectors that are down, refuse, are slow or mean harm: one clear line, soon, and no secret goes anywhere."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.errors import UsageError
from tests.otlp.receiver import Receiver, receiving

from bench.otlp.collector import Collector, NotTaken, endpoints  # isort: skip - skipped without the library
from bench.otlp.figures import Figures  # isort: skip
from bench.otlp.messages import resource_of  # isort: skip

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET}")


def refusal(receiver: Receiver, *, timeout_s: float = 5.0) -> str:
    """The line that is printed when a collector does not take a message."""
    collector = Collector(receiver.url, timeout_s=timeout_s)
    try:
        with pytest.raises(NotTaken) as caught:
            collector.send_spans([])
    finally:
        collector.close()
    line = caught.value.describe()
    assert SECRET not in line
    assert "\n" not in line
    return line


def test_one_that_is_down() -> None:
    """It is tried again for as long as the time-out lets it, and no longer."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        line = refusal(Receiver(url=f"http://127.0.0.1:{nobody.getsockname()[1]}"), timeout_s=0.5)
    assert "cannot be reached" in line
    assert "4318" in line


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_one_that_refuses(status: int) -> None:
    """For good, so it is asked once; what it says is not repeated, for it may be our secret."""
    with receiving(Receiver(answers=[(status, {})])) as receiver:
        assert f"answered {status}" in refusal(receiver)
    assert len(receiver.headers) == 1
    assert receiver.headers[0]["api-key"] == SECRET


def test_one_that_asks_for_patience() -> None:
    """`Retry-After` is obeyed within the time-out; one of an hour is not waited for."""
    with receiving(Receiver(answers=[(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})])) as receiver:
        collector = Collector(receiver.url, timeout_s=20)
        collector.send_spans([])
        assert len(receiver.headers) == 3
        receiver.answers.append((429, {"Retry-After": "3600"}))
        assert "answered 429" in refusal(receiver)
        assert len(receiver.headers) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_success_and_is_not_followed(status: int) -> None:
    """The secret in the headers would go along; the library takes any 3xx for a success."""
    with receiving(Receiver()) as elsewhere:
        with receiving(Receiver(answers=[(status, {"Location": f"{elsewhere.url}/v1/traces"})])) as receiver:
            assert "redirect" in refusal(receiver)
        assert elsewhere.headers == []


def test_one_that_never_ends_its_answer() -> None:
    """A byte now and then keeps a socket's time-out from running out."""
    with receiving(Receiver(drip=threading.Event())) as receiver:
        assert "did not end its answer" in refusal(receiver, timeout_s=0.2)


def test_one_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = refusal(Receiver(url=f"http://127.0.0.1:{silent.getsockname()[1]}"), timeout_s=0.3)
    assert "did not answer in time" in line


def test_one_whose_answer_would_fill_the_memory() -> None:
    """It said 200, so the message is taken; no more than its beginning is read."""
    with receiving(Receiver(endless=True)) as receiver:
        collector = Collector(receiver.url, timeout_s=5)
        collector.send_spans([])
        assert len(collector._sessions["traces"].body) == 1 << 16
        collector.close()


def test_what_it_took_in_vain_is_counted() -> None:
    """`partial_success` of the protocol."""
    with receiving(Receiver(rejects=3)) as receiver:
        collector = Collector(receiver.url)
        collector.send_spans([])
        collector.send_spans([])
        assert collector.rejected == 6
        for message in Figures({}, every_s=1).points(resource=resource_of({}), wall_ns=0):
            collector.send_metrics(message)
        collector.close()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("localhost:4318", "no URL"),
        ("ftp://host:4318", "no URL"),
        ("grpc://host:4317", "gRPC"),
        ("http://", "no URL"),
        ("http://[::1", "no URL"),
        ("http://host:99999", "no URL"),
        ("http://h\u00f6st:4318", "no URL"),
        ("http://host:4318/a b", "no URL"),
        ("http://host:4318\r\nX: y", "no URL"),
        (f"http://me:{SECRET}@host:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        (f"http://host:4318?key={SECRET}", "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_what_is_no_collector(asked: str, says: str) -> None:
    """From the option as from the variable; a secret in it is not shown."""
    for given in ((asked, {}), ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": asked})):
        with pytest.raises(UsageError) as caught:
            endpoints(*given)
        assert says in caught.value.describe()
        assert SECRET not in caught.value.describe()


def test_where_it_goes() -> None:
    """The option counts before the variables; a signal's own variable is a whole URL, as the standard says."""
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a/x/", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://b/t"}
    assert endpoints("", own) == {"traces": "https://b/t", "metrics": "https://a/x/v1/metrics"}
    assert endpoints("http://c:4318/", own) == {
        "traces": "http://c:4318/v1/traces",
        "metrics": "http://c:4318/v1/metrics",
    }
    with pytest.raises(UsageError, match="no collector"):
        endpoints("", {})

"""HTTP/1.1 over one keep-alive connection, measured. Edge: owns a socket.

Why not a client library: the cheapest that works under gevent costs 130 us of CPU a request, this a
fraction of it. What it does differently:

- the read watcher of a connection is started once, not once a request, and the parser is fed in the
  hub; the user's greenlet is switched to only when its answer is whole;
- an answer's time is that of the poll that reported it (`hub_watch`), not that of the turn in which it
  was read.

DANGER: `_on_readable`, `_wake` and `expire` run in the hub: they must not block and must not raise.
"""

from __future__ import annotations

import contextlib
import fcntl
import ssl
import sys
import termios
from typing import Any

import httptools
from gevent import get_hub, getcurrent

from bench.clock import monotonic_ns
from bench.load.wire.address import Address
from bench.load.wire.answer import Answer
from bench.load.wire.deadlines import NEVER, Deadlines
from bench.load.wire.dial import DialFailed, dial, failure_of
from bench.load.wire.hub_watch import HubWatch
from bench.load.wire.tls import TlsStream
from bench.load.wire.ways import Ways
from bench.sample import NO_TIME

_CHUNK_BYTES = 65_536
_WRITABLE = 2
_READABLE = 1


class Connection:
    """One user's connection. `exchange` never raises for what the network or the server does.

    After it `failure` is "" and `answer` holds the message, or `failure` is a word and `detail` says more: `timeout`,
    `idle` (a stream of events stood still for `idle_ns`, which 0 lets it),
    `dns`, `refused`, `unreachable`, `tls`, `no_descriptors`, `no_ports` (the last two are this host's own limits),
    `reset`, `closed` (before an answer had begun), `cut` (after), `protocol`. `sent_ns`, `first_byte_ns` and `done_ns`
    are absolute monotonic times; `connect_ns` is the duration of the connect (with TLS handshake) that had to be made,
    which lies between `sent_ns` and `done_ns`. `replays` is 1 where the request was sent on a second connection.
    """

    def __init__(
        self,
        address: Address,
        *,
        watch: HubWatch,
        deadlines: Deadlines,
        ways: Ways | None = None,
        idle_ns: int = 0,
    ) -> None:
        """Each socket it opens is registered with `ways`."""
        self.answer = Answer()
        self.failure = ""
        self.detail = ""
        self.sent_ns = self.first_byte_ns = self.done_ns = NO_TIME
        self.connect_ns = 0
        self.replays = 0
        self.deadline_ns = NEVER
        self._address = address
        self._watch = watch
        self._deadlines = deadlines
        self._idle_ns = idle_ns
        self._total_ns = NEVER  # the deadline of the whole, of which `deadline_ns` may be an earlier one
        self._ways = ways if ways is not None else Ways()
        self._hub = get_hub()
        self._gsocket: Any = None
        self._socket: Any = None
        self._watcher: Any = None
        self._tls: TlsStream | None = None
        self._pending = False  # an exchange waits for its answer
        self._handed = 0  # bytes of this request that the kernel took
        self._not_begun = False  # it is certain that the server has seen nothing of this request
        self._parked: Any = None  # the greenlet to switch to, when it is the hub's turn
        deadlines.join(self)

    def exchange(self, request: bytes, *, deadline_ns: int) -> None:
        """Send `request` (head and body) and wait for the answer or the deadline. Called in a user's greenlet.

        A kept connection that the server had closed before anything of this request reached it is replaced once, and
        `replays` says so. Where the server may have begun, nothing is sent again (see docs/decisions/wire.md).
        """
        reused = self._socket is not None
        self.connect_ns = self.replays = 0
        sealed = self._encrypt_ahead(request)
        self.sent_ns = monotonic_ns()
        self._attempt(request, deadline_ns, sealed)
        if self._not_begun and reused:
            self.replays = 1
            self._attempt(request, deadline_ns)

    @property
    def through_proxy(self) -> bool:
        return self._address.proxy is not None

    @property
    def tls_version(self) -> str:
        """`TLSv1.3`; empty without TLS, and without a connection."""
        return self._tls.version if self._tls is not None else ""

    def open(self, *, deadline_ns: int) -> str:
        """Connect without sending anything; returns the failure's word, or "" when the server is there."""
        self.failure = ""
        if self._socket is None:
            self._connect(deadline_ns)
        return self.failure

    def close(self) -> None:
        """Drop the socket; the next exchange makes a new one."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._gsocket is not None:
            self._ways.closed(self)
            self._gsocket.close()
            self._gsocket = self._socket = self._tls = None

    def expire(self) -> None:
        """The deadline has passed: of the whole, or of a stream's next event."""
        self.close()
        events = self.answer.events
        if self.deadline_ns < self._total_ns and events is not None:
            self._finish(
                "idle", f"no event for {self._idle_ns / 1e9:g} s after {events.events} of them", monotonic_ns()
            )
        else:
            self._finish("timeout", "no complete answer in time", monotonic_ns())

    # -- one attempt, in the user's greenlet -------------------------------------------------------

    def _encrypt_ahead(self, request: bytes) -> bytes:
        """A small request as TLS on a kept connection: encrypting is this client's work, none of the target's time."""
        if self._tls is not None and len(request) <= _CHUNK_BYTES:
            try:
                return self._tls.encrypt(request)
            except ssl.SSLError:
                self.close()  # what is the matter is said of the new connection
        return b""

    def _attempt(self, request: bytes, deadline_ns: int, sealed: bytes = b"") -> None:
        self.failure = ""
        self._handed = 0
        self._not_begun = False
        self.first_byte_ns = NO_TIME
        self.answer.reset()
        if self._socket is None and not self._connect(deadline_ns):
            return
        self._pending = True
        self.deadline_ns = self._total_ns = deadline_ns
        self._deadlines.note(deadline_ns)
        try:
            if sealed:
                whole = self._send(sealed)
            elif self._tls is None and len(request) <= _CHUNK_BYTES:
                whole = self._send(request)
            else:
                whole = self._send_in_chunks(request)
            if self._pending:
                self._park()
            if not whole:  # answered early: the rest of this request must not meet the next one
                self.close()
        finally:
            self.deadline_ns = NEVER
            if self._pending:  # killed: the rest of this answer must not meet the next request
                self._pending = False
                self._parked = None
                self.close()

    def _park(self) -> None:
        self._parked = getcurrent()
        self._hub.switch()

    def _send(self, data: bytes | memoryview) -> bool:
        """Hand bytes to the kernel, waiting where it will not take them. Says whether it took all of them.

        It stops once an answer has come. An error is left to the read side, which may still hold an early
        answer such as a 413.
        """
        while self._pending:
            try:
                taken = self._socket.send(data)
            except BlockingIOError:
                self._wait_writable()
                continue
            except OSError:
                return False
            self._handed += taken
            if taken == len(data):
                return True
            data = memoryview(data)[taken:]
        return False

    def _send_in_chunks(self, request: bytes) -> bool:
        """The same for a large body. Between two pieces it is the hub's turn, lest a fast server take all in one."""
        view = memoryview(request)
        for start in range(0, len(view), _CHUNK_BYTES):
            if start:
                self._wait_writable()
            piece: bytes | memoryview = view[start : start + _CHUNK_BYTES]
            if self._tls is not None:
                try:
                    piece = self._tls.encrypt(piece)
                except ssl.SSLError as exc:
                    self.close()
                    self._finish(*failure_of(exc), monotonic_ns())
                    return False
            if not self._send(piece):
                return False
        return True

    def _wait_writable(self) -> None:
        watcher = self._hub.loop.io(self._socket.fileno(), _WRITABLE)
        watcher.start(self._wake)
        try:
            self._park()
        finally:
            watcher.stop()
            watcher.close()

    def _connect(self, deadline_ns: int) -> bool:
        began_ns = monotonic_ns()
        try:
            gsocket, self._tls = dial(self._address, deadline_ns=deadline_ns)
        except DialFailed as exc:
            self.failure, self.detail, self.done_ns = exc.word, exc.detail, monotonic_ns()
            return False
        self._gsocket = gsocket
        self._socket = gsocket._sock  # noqa: SLF001 - the plain socket below gevent's: it does not block
        self._ways.opened(self, self._socket)
        self.connect_ns += monotonic_ns() - began_ns
        self.answer.renew()
        self._watcher = self._hub.loop.io(gsocket.fileno(), _READABLE)
        self._watcher.start(self._on_readable)
        return True

    # -- in the hub --------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK_BYTES)
            ended = not data
            if self._tls is not None:
                data, ended = self._tls.decrypt(data)
        except BlockingIOError:
            return
        except OSError as exc:
            self._lost(*failure_of(exc))
            return
        if data:
            if not self._pending:  # bytes nobody asked for
                self.close()
                return
            answer = self.answer
            polled_ns, sent_ns = self._watch.polled_ns, self.sent_ns
            answer.at_ns = at_ns = max(sent_ns, polled_ns)  # hot: no call of `max`
            if self.first_byte_ns == NO_TIME:
                self.first_byte_ns = at_ns
            try:
                if answer.headers_done:  # what `feed` would do: a call saved for every token of a stream
                    answer.parser.feed_data(data)
                else:
                    answer.feed(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
                if not answer.complete:
                    self._lost("protocol", str(exc.__context__ or exc))
                    return
                answer.keep_alive = False  # the answer is whole; what came after it is not HTTP
            if answer.complete:
                if not answer.keep_alive or ended:
                    self.close()
                self._finish("", "", at_ns)
                return
            if answer.events is not None and self._idle_ns and answer.events.last_ns:
                self.deadline_ns = min(self._total_ns, answer.events.last_ns + self._idle_ns)
                self._deadlines.note(self.deadline_ns)
        if ended:
            truncated = self._tls is not None and self._tls.truncated
            if self._pending and self.answer.end_of_stream() and not truncated:
                self.close()
                self._finish("", "", max(self._watch.polled_ns, self.sent_ns))
            elif self.first_byte_ns == NO_TIME:
                self._lost("closed", "the server closed the connection without an answer")
            elif truncated:
                self._lost("cut", "the TLS stream ended without a close_notify: what is missing nobody knows")
            else:
                self._lost("cut", f"the server closed the connection in the middle of an answer{self._how_far()}")

    def _how_far(self) -> str:
        events = self.answer.events
        return f", after {events.events} events" if events is not None else ""

    def _lost(self, failure: str, detail: str) -> None:
        if self._pending and self.first_byte_ns == NO_TIME and failure in {"closed", "reset"}:
            self._not_begun = self._nothing_arrived(failure)
        self.close()
        if self._pending:
            self._finish(failure, detail, max(self._watch.polled_ns, self.sent_ns))
        else:
            self.failure, self.detail = failure, detail

    def _nothing_arrived(self, failure: str) -> bool:
        """Whether the server closed before anything of this request reached its host.

        Its FIN acknowledges all that had arrived there by then: if every byte is still unacknowledged, none had.
        """
        if not self._handed:
            return True
        if failure == "closed":
            with contextlib.suppress(OSError):  # what a system does not tell is not certain
                left = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
                return int.from_bytes(left, sys.byteorder) >= self._handed
        return False

    def _finish(self, failure: str, detail: str, at_ns: int) -> None:
        self.failure = failure
        self.detail = detail
        self.done_ns = at_ns
        self._pending = False
        self._wake()

    def _wake(self) -> None:
        parked, self._parked = self._parked, None
        if parked is not None:
            parked.switch()

"""A worker begins nothing that its master may have dealt to others. Edge: the hub's time.

A master deals again what is due later than a second after a worker's last message. So a worker reports how far it is
twice a second, and begins nothing later than a second after it has reported. Where its process stood still for so
long that it may have been given up, it asks whether to go on, and begins nothing before the answer.
"""

from __future__ import annotations

from typing import Any

from gevent.event import Event

from bench.load.roles.messages import PROGRESS_HOLDS_NS, Channel, Progress, Woke
from bench.load.roles.sender import Sender
from bench.process import supervise

_SPEAKS_EVERY_S = 0.5
STOOD_STILL_NS = 2_000_000_000
"""Locust gives a worker up after three seconds without its heartbeat, at the earliest."""


class Fence:
    """Of one run's sender, from `start` to `stop`."""

    def __init__(self, sender: Sender, channel: Channel) -> None:
        """Nothing is begun before `start`."""
        self._sender = sender
        self._channel = channel
        self._reached = Event()
        self._greenlet: Any = None
        self._seen_ns: int | None = None
        self._number = 0
        self._asks = False
        sender.fence(0, self._reached.set)

    def start(self) -> None:
        """The sender's clock has started."""
        self.tell(self._sender.progress())
        self._greenlet = supervise.start(self._keep_telling, where="the word to the master")

    def stop(self) -> None:
        """The sender has finished."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def tell(self, progress: Progress) -> None:
        """Say how far the sender is, and let it go on from there; or ask whether it may."""
        stood_ns = 0 if self._seen_ns is None else progress.at_ns - self._seen_ns
        self._seen_ns = progress.at_ns
        if stood_ns > STOOD_STILL_NS:
            self._asks = True
            self._number += 1
            self._channel.send(Woke(number=self._number, progress=progress))
        elif not self._asks:
            self._channel.send(progress)
            self._sender.fence(self._sender.bench.zero_ns + progress.at_ns + PROGRESS_HOLDS_NS, self._reached.set)

    def go_on(self, number: int) -> None:
        """The master has answered that question; an older one counts no more."""
        if self._asks and number == self._number:
            self._asks = False
            self.tell(self._sender.progress())

    def _keep_telling(self) -> None:
        while True:
            self._reached.wait(_SPEAKS_EVERY_S)
            self._reached.clear()
            self.tell(self._sender.progress())

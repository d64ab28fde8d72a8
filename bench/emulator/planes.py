"""A group of ports that answer alike and fail together: control plane, identity, admin, scoring. Edge.

`server` makes them; a fault that refuses connections or leaves them hanging is carried out on the whole group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from bench.emulator.controlplane import ControlConnection, Handler
from bench.emulator.dataplane import ScoringFront
from bench.emulator.faults import Fault
from bench.emulator.listeners import Listener
from bench.emulator.scoring_wire import ScoringConnection


class Connection(Protocol):
    """What a plane needs of the connections that it keeps track of."""

    def abort(self) -> None: ...


class Plane:
    """Ports and the connections that came in through them."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self._connections: set[Connection] = set()

    def register(self, connection: Connection, alive: bool) -> None:
        if alive:
            self._connections.add(connection)
        else:
            self._connections.discard(connection)

    async def open(self) -> None:
        for listener in self.listeners:
            await listener.open()

    def close(self) -> None:
        """Stop listening, and close every connection."""
        for listener in self.listeners:
            listener.set_refusing(True)
        for connection in list(self._connections):
            connection.abort()

    def apply(self, faults: Sequence[Fault]) -> None:
        """Refuse while a fault says so; connections that were left hanging die with the fault that did it."""
        answers = {fault.answer for fault in faults if not fault.operation}
        if "refuse" in answers:
            self.close()
        else:
            for listener in self.listeners:
                listener.set_refusing(False)
        if not any(fault.answer == "hang" for fault in faults):
            for connection in list(self._connections):
                if isinstance(connection, ControlConnection) and connection.hanging:
                    connection.abort()


def serve_control(plane: Plane, handler: Handler, said_now_s: Callable[[], float]) -> Callable[[], asyncio.Protocol]:
    """A factory of connections whose requests `handler` answers."""
    return lambda: ControlConnection(handler, said_now_s, plane.register)


def serve_scoring(plane: Plane, front: ScoringFront) -> Callable[[], asyncio.Protocol]:
    """A factory of connections to one scoring URI."""
    return lambda: ScoringConnection(front, plane.register)

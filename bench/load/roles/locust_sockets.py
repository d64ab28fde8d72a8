"""Locust's sockets, closed to all but a master and the workers that it forks. Edge: wraps one method of Locust's.

ZeroMQ's own CURVE (its RFC 26): whoever does not know the master's public key gets no message across, in either
direction, and reads none. Both pairs of keys are derived from what only these processes know.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import zmq
from locust.rpc.zmqrpc import BaseSocket
from zmq.utils import z85

from bench.credentials import RelayKey


class _Pair(NamedTuple):
    public: bytes
    secret: bytes


def close_to_others(key: RelayKey) -> None:
    """From now on each of Locust's sockets speaks with those that have `key`; where ZeroMQ has no CURVE, with all."""
    if not zmq.has("curve"):
        return
    master, worker = _pair(key, "master"), _pair(key, "worker")
    begin = BaseSocket.__init__

    def begin_closed(self: Any, kind: int, *arguments: Any) -> None:
        begin(self, kind, *arguments)
        is_master = kind == zmq.ROUTER
        self.socket.curve_publickey, self.socket.curve_secretkey = master if is_master else worker
        if is_master:
            self.socket.curve_server = True
        else:
            self.socket.curve_serverkey = master.public

    BaseSocket.__init__ = begin_closed


def _pair(key: RelayKey, whose: str) -> _Pair:
    secret = z85.encode(key.derive(f"socket {whose}", 32))
    return _Pair(public=zmq.curve_public(secret), secret=secret)

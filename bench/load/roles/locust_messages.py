"""Locust's own listeners, made to outlive what strangers send. Edge: replaces functions of Locust's, wraps others.

Whoever reaches a master's port can send it anything. Locust's listener ends for ever at the first message that is no
MessagePack array of three, or whose fields are of other types than its handlers expect, and takes a message's word for
whom it is from. A worker of it makes the parser of its command line anew for each option in a message that changes its
users: half a second in which nothing is sent.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from locust import argument_parser
from locust.rpc.protocol import Message
from locust.runners import MasterRunner

from bench.plan.options import SETTABLE_OPTIONS

_UNREADABLE = "bench_unreadable"
_FIRST_WORDS = ("client_ready", "locustfile")
"""What a worker says before its master knows it."""
_OF_A_RUN = frozenset(option.dest for option in SETTABLE_OPTIONS)
_read = Message.unserialize.__func__


def _read_anything(cls: type[Message], data: bytes) -> Message:
    """The message in `data`; one of a kind of its own where that is none."""
    try:
        message: Message = _read(cls, data)
        if isinstance(message.type, str) and (message.node_id is None or isinstance(message.node_id, str)):
            return message
    except Exception:  # noqa: BLE001, S110 - msgpack raises half a dozen kinds, and a decoder of Locust's more
        pass
    return cls(_UNREADABLE, None, "")


def harden(runner: Any) -> None:
    """Have the listener of `runner` drop what it cannot read, and a master's what is sent in another's name."""
    if not hasattr(runner, "custom_messages"):
        return
    Message.unserialize = classmethod(_read_anything)
    said: set[str] = set()
    runner.register_message(_UNREADABLE, functools.partial(_drop, said, "a message that cannot be read"))
    handle = runner.handle_message if hasattr(runner, "handle_message") else None
    if handle is None:
        return
    if isinstance(runner, MasterRunner):
        runner.server.send_to_client = functools.partial(_send_of_master, runner.server.send_to_client)
        runner.handle_message = functools.partial(_handle_of_master, runner, handle, said)
    else:
        argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
        runner.handle_message = functools.partial(_handle, handle, said)


def _handle_of_master(
    runner: Any, handle: Callable[[str, Message], None], said: set[str], client_id: str, msg: Message
) -> None:
    if msg.type != _UNREADABLE:
        if msg.node_id != client_id:
            _drop(said, "a message in another's name")
            return
        if client_id not in runner.clients and msg.type not in _FIRST_WORDS:
            _drop(said, f"a {msg.type[:40]!r} message from a stranger")
            return
    try:
        handle(client_id, msg)
    except Exception as exc:  # noqa: BLE001 - whatever a field of another type leads to
        _drop(said, f"a {msg.type[:40]!r} message that Locust cannot handle: {type(exc).__name__}")


def _send_of_master(send: Callable[[Message], None], msg: Message) -> None:
    """Locust tells its workers every option in the clear; those of a run travel in its order."""
    if msg.type == "spawn":
        kept = {name: value for name, value in msg.data["parsed_options"].items() if name not in _OF_A_RUN}
        msg = Message(msg.type, {**msg.data, "parsed_options": kept}, msg.node_id)
    send(msg)


def _handle(handle: Callable[[Message], None], said: set[str], msg: Message) -> None:
    try:
        handle(msg)
    except Exception as exc:  # noqa: BLE001 - as above
        _drop(said, f"a {msg.type[:40]!r} message that Locust cannot handle: {type(exc).__name__}")


def _drop(said: set[str], what: str, **_: Any) -> None:
    if what not in said and len(said) < 20:
        said.add(what)
        sys.stderr.write(f"warning: ignored {what}\n")

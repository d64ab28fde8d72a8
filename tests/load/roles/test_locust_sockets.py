"""Who gets a message across to a master that `bench` started, and who does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import locust
import zmq.green as zmq
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from bench.credentials import RelayKey
from bench.load.roles.locust_sockets import close_to_others

begin = zmqrpc.BaseSocket.__init__

def end(kind, letter, *arguments):
    zmqrpc.BaseSocket.__init__ = begin
    if letter:
        close_to_others(RelayKey(letter * 32))
    return kind("127.0.0.1", *arguments)

server = end(zmqrpc.Server, b"k", 0)
other = end(zmqrpc.Server, b"o", 0)
for sender, letter in (("stranger", b""), ("another", b"o"), ("worker", b"k")):
    client = end(zmqrpc.Client, letter, server.port, sender)
    client.socket.setsockopt(zmq.LINGER, 0)
    client.send(Message("client_ready", "1", sender))
lost = end(zmqrpc.Client, b"k", other.port, "lost")
lost.socket.setsockopt(zmq.LINGER, 0)
lost.send(Message("client_ready", "1", "lost"))
print(server.recv_from_client()[0])
server.send_to_client(Message("quit", None, "worker"))
print(client.recv().type)
print(server.socket.poll(500), other.socket.poll(500))
"""


def test_only_who_has_the_key_is_heard() -> None:
    """Real sockets of Locust's: of four who write, the one with the master's key. It hears its master, and no other."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=root, timeout=300
    )
    assert done.stdout.split() == ["worker", "quit", "0", "0"], done.stderr

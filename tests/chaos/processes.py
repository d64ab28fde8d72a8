"""The processes of one run as an outsider sees them: found by a word in their environment. Linux only."""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "CHAOS_MARK"


@dataclass(frozen=True, slots=True)
class Process:
    """One that runs, and what it is: bench, locust, worker, agent or emulator."""

    pid: int
    role: str


def of_run(mark: str) -> list[Process]:
    """Those that carry the mark, zombies left out."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}\0".encode() not in (folder / "environ").read_bytes() + b"\0":
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        found[int(folder.name)] = (words, parent)
    return [
        Process(pid, _role(words, parent in found and found[parent][0] == words))
        for pid, (words, parent) in found.items()
    ]


def _role(words: str, is_fork: bool) -> str:
    for part, role in (("credentials.agent", "agent"), ("bench.emulator", "emulator"), ("bench.load", "locust")):
        if part in words:
            return "worker" if role == "locust" and is_fork else role
    return "bench"


def wait_until_signals_are_handled(pid: int) -> None:
    """An interpreter that has not reached its first line dies of any signal, as every program does."""
    for _ in range(2000):
        try:
            caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        except OSError:
            return
        if caught and int(caught[1], 16) >> 14 & 1:  # SIGTERM
            return
        time.sleep(0.01)


def listening_ports(pids: list[int]) -> list[int]:
    """The TCP ports on which they wait for somebody."""
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes |= set(re.findall(r"socket:\[(\d+)\]", str(fd.readlink())))
            except OSError:
                continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sorted(int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes)


def send_to(port: int, words: bytes) -> None:
    """Be a stranger there for a moment."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as stranger:
            stranger.sendall(words)
            stranger.settimeout(0.2)
            stranger.recv(1000)
    except OSError:
        return


def stop(pid: int, number: int) -> bool:
    """Send a signal; False when there is nobody."""
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True

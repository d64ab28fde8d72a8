"""Request bodies, prepared once. Reads the payload file."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

DEFAULT_BODY = b'{"input_data": [[0.1, 0.2, 0.3, 0.4]]}'


@dataclass(frozen=True, slots=True)
class Payload:
    """A body framed for the wire: `head` + client request id + `tail` follow a lane's own headers."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, body: bytes) -> Payload:
        head = b"Content-Type: application/json\r\nContent-Length: %d\r\nx-ms-client-request-id: " % len(body)
        return cls(head, b"\r\n\r\n" + body)


def load_bodies(path: str, *, seed: int) -> tuple[tuple[bytes, ...], str]:
    """The bodies of a JSON file (one) or a JSONL file (one a line, in seeded order), and the file's SHA-256.

    An empty `path` gives a small default body. UsageError names the file and the line that is not JSON.
    """
    if not path:
        return (DEFAULT_BODY,), hashlib.sha256(DEFAULT_BODY).hexdigest()
    try:
        raw = Path(path).read_bytes()
    except (OSError, ValueError) as exc:  # ValueError: a NUL, which no file's name can hold
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(f"--payload {path}: {reason}", hint="give a JSON or JSONL file") from exc
    digest = hashlib.sha256(raw).hexdigest()
    if not path.lower().endswith((".jsonl", ".ndjson")):
        _check_json(raw, where=path, hint="give one JSON document, or name the file .jsonl for one a line")
        return (raw.strip(),), digest
    lines = [(number, line.strip()) for number, line in enumerate(raw.split(b"\n"), start=1) if line.strip()]
    if not lines:
        raise UsageError(f"--payload {path} is empty", hint="give at least one line of JSON")
    for number, line in lines:
        _check_json(line, where=f"{path}, line {number}", hint="each line must be one JSON document")
    bodies = [line for _, line in lines]
    random.Random(f"payload-{seed}").shuffle(bodies)  # noqa: S311 - reproducible, not secret
    return tuple(bodies), digest


def _check_json(raw: bytes, *, where: str, hint: str) -> None:
    try:
        json.loads(raw)
    except ValueError as exc:
        raise UsageError(f"--payload {where} is not JSON: {exc}", hint=hint) from exc
    except RecursionError as exc:
        raise UsageError(f"--payload {where} is nested too deeply", hint=hint) from exc

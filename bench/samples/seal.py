"""The seal of a batch: its number, its rows and a checksum of every byte since the batch before. Pure.

The checksum is of the bytes as they lie on disk: the messages of new words, the batch itself, and for the first batch
the schema. So whatever was changed is found before Arrow is asked to make sense of it. It is part of those bytes, and
counts as eight zeros there.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

KEY = "seal"
FORMAT = 2
"""Of a stream whose batches are sealed; format 1 had no seals and did not say what it was."""

_BLANK = b"00000000"
_OPEN = b" crc32=" + _BLANK
_SEAL = re.compile(rb"number=(\d{10}) rows=(\d{10}) crc32=([0-9a-f]{8})")


class Seal(NamedTuple):
    """What a batch says of itself; `place` is where its checksum is."""

    number: int
    rows: int
    crc32: int
    place: int


def blank(number: int, rows: int) -> str:
    """The text of a seal whose checksum is still to be filled in."""
    return f"number={number:010} rows={rows:010} crc32={_BLANK.decode()}"


def fill_in(frame: bytearray) -> None:
    """Put the checksum into a batch's bytes. ValueError when there is no blank seal in them."""
    place = frame.rindex(_OPEN) + len(_OPEN) - len(_BLANK)  # the last: a server names deployments, and they come before
    frame[place : place + len(_BLANK)] = b"%08x" % zlib.crc32(frame)


def find(metadata: bytes) -> Seal | None:
    """The seal in the metadata of a batch's message."""
    found = _SEAL.search(metadata)
    if found is None:
        return None
    return Seal(int(found[1]), int(found[2]), int(found[3], 16), found.start(3))


def holds(frame: bytes, place: int, crc32: int) -> bool:
    """Whether the bytes are those that were written; `place` is the checksum's place among them."""
    view = memoryview(frame)
    before = zlib.crc32(_BLANK, zlib.crc32(view[:place]))
    return zlib.crc32(view[place + len(_BLANK) :], before) == crc32

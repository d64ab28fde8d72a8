"""The ids by which a tracing system knows a request, from its sample's run, worker and number. Pure noun.

W3C Trace Context, level 1: `traceparent: 00-<trace id>-<parent id>-<flags>`. Nothing of it is stored but the share that
is sampled (`RunPlan.trace_share`), for the rest can be worked out again. The lower half of a trace id is spread evenly
over all numbers, so that a server which samples by the id itself (TraceIdRatioBased) takes the share it is set to,
and the same requests that are marked here.
"""

from __future__ import annotations

import hashlib

HEADER = "traceparent"
_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio, odd: multiples of it lie apart as evenly as can be, and none comes twice (Weyl)."""

_LINE_BYTES = len("traceparent: 00--01\r\n") + 32 + 1 + 16


class TraceContext:
    """Of one worker in one run."""

    __slots__ = ("_bound", "_high", "_zero", "line_bytes")

    def __init__(self, run_id: str, worker: str, *, share: float) -> None:
        """`share` of the requests, 0 to 1, are marked as sampled."""
        digest = hashlib.sha256(f"{run_id}\0{worker}".encode("utf-8", "surrogateescape")).digest()
        self._high = (digest[:8].hex() if any(digest[:8]) else "1" * 16).encode()
        self._zero = int.from_bytes(digest[8:16], "big")
        self._bound = round(share * (1 << 64))
        self.line_bytes = _LINE_BYTES

    def line(self, sequence: int) -> bytes:
        """The header of request `sequence`. Hot."""
        low = (self._zero + sequence * _STEP) & _MASK or 1
        return b"traceparent: 00-%b%016x-%016x-0%d\r\n" % (self._high, low, low, low < self._bound)

    def trace_id(self, sequence: int) -> str:
        """32 hexadecimal digits, as tracing systems show them."""
        return f"{self._high.decode()}{self._low(sequence):016x}"

    def span_id(self, sequence: int) -> str:
        """16 hexadecimal digits: of the request itself, the parent of what the server does."""
        return f"{self._low(sequence):016x}"

    def is_sampled(self, sequence: int) -> bool:
        """Whether the request was marked as sampled."""
        return self._low(sequence) < self._bound

    def _low(self, sequence: int) -> int:
        return (self._zero + sequence * _STEP) & _MASK or 1

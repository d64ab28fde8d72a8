"""Reported times of tokens against true ones, over the same streams. Pure (numpy).

The truth is the emulator's: when a request's last byte was read, and when each token was handed to the kernel. An error
is given twice: of the figures (a quantile as reported less the same quantile as it truly was), and token by token.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, Ints

HEADER_BYTES = 64
_HEAD = struct.Struct("<40sqq")
"""The layout of the emulator's FILE.streams, which its guide documents."""

Q = (0.5, 0.99)


@dataclass(frozen=True, slots=True, eq=False)
class TrueStream:
    """`due_ns` and `sent_ns` have one value a token, absolute."""

    received_ns: int
    due_ns: Ints
    sent_ns: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """What the harness says of one stream: when it was sent, its first token (absolute), and its gaps."""

    sent_ns: int
    first_ns: int
    gaps_ns: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamErrors:
    """In ms at p50 and p99. `first` and `gap` are of the figures, `each_first` and `each_gap` (its size) of each one.

    `streams` were compared; `miscounted` had more or fewer tokens than the truth. `own_late` is how late the emulator
    itself handed tokens over.
    """

    streams: int
    miscounted: int
    true_first: tuple[float, float]
    first: tuple[float, float]
    each_first: tuple[float, float]
    true_gap: tuple[float, float]
    gap: tuple[float, float]
    each_gap: tuple[float, float]
    own_late: tuple[float, float]


def read(raw: bytes) -> dict[str, TrueStream]:
    """The streams of a file by their request id; a last one that was cut off is left out."""
    return dict(_named(raw))


def streams(raw: bytes) -> Iterator[TrueStream]:
    """All of them, of clients that give no id as well."""
    return (stream for _, stream in _named(raw))


def _named(raw: bytes) -> Iterator[tuple[str, TrueStream]]:
    place = HEADER_BYTES
    while place + _HEAD.size <= len(raw):
        request_id, received_ns, count = _HEAD.unpack_from(raw, place)
        place += _HEAD.size
        if place + 16 * count > len(raw):
            return
        times = np.frombuffer(raw, "<i8", 2 * count, place).reshape(count, 2)
        place += 16 * count
        yield request_id.rstrip(b"\0").decode(), TrueStream(received_ns, times[:, 0], times[:, 1])


def compare(truth: Mapping[str, TrueStream], reported: Mapping[str, Reported]) -> StreamErrors:
    """Errors of the streams that both know."""
    both = [(truth[name], ours) for name, ours in reported.items() if name in truth]
    whole = [(true, ours) for true, ours in both if len(true.sent_ns) == len(ours.gaps_ns) + 1]
    true_first = _ms([true.sent_ns[0] - true.received_ns for true, _ in whole])
    first = _ms([ours.first_ns - ours.sent_ns for _, ours in whole])
    true_gaps = _ms(np.concatenate([np.diff(true.sent_ns) for true, _ in whole]) if whole else [])
    gaps = _ms(np.concatenate([ours.gaps_ns for _, ours in whole]) if whole else [])
    late = _ms(np.concatenate([true.sent_ns - true.due_ns for true, _ in whole]) if whole else [])
    return StreamErrors(
        streams=len(both),
        miscounted=len(both) - len(whole),
        true_first=_at(true_first),
        first=_less(_at(first), _at(true_first)),
        each_first=_at(first - true_first),
        true_gap=_at(true_gaps),
        gap=_less(_at(gaps), _at(true_gaps)),
        each_gap=_at(np.abs(gaps - true_gaps)),
        own_late=_at(late),
    )


def _ms(values_ns: Ints | list[int]) -> Floats:
    return np.asarray(values_ns, np.float64) / 1e6


def _at(values: Floats) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    p50, p99 = np.quantile(values, Q)
    return float(p50), float(p99)


def _less(ours: tuple[float, float], true: tuple[float, float]) -> tuple[float, float]:
    return ours[0] - true[0], ours[1] - true[1]

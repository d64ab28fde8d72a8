"""Reported times against true ones, over the same requests. Pure (numpy).

The truth is the emulator's: when a request's last byte was read and when its answer was handed to the kernel,
on the monotonic clock both processes share. What a client adds to that (its own delays, the kernel, the
loopback) is the error; a network's way is part of it, so a true client has a small positive one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES: dict[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}

RECORD = np.dtype([("id", "S40"), ("received_ns", "<i8"), ("answered_ns", "<i8"), ("service_ns", "<i8")])
HEADER_BYTES = 64
"""The layout of the emulator's truth file, which its guide documents."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Reported less true, in ms, by quantile; `true` has the true quantiles. `matched` requests were compared."""

    matched: int
    service: Mapping[str, float]
    response: Mapping[str, float]
    true_response: Mapping[str, float]


def records(raw: bytes) -> NDArray[Any]:
    """The truth file's records; a last one that was cut off is left out."""
    body = raw[HEADER_BYTES:]
    return np.frombuffer(body[: len(body) // RECORD.itemsize * RECORD.itemsize], dtype=RECORD)


def numbers(ids: NDArray[Any], prefix: str) -> NDArray[np.int64]:
    """Sequence numbers of the ids that begin with `prefix` (`<run_id>-<worker>-`), -1 for all others."""
    wanted = prefix.encode()
    return np.array(
        [int(each[len(wanted) :], 16) if each.startswith(wanted) else -1 for each in ids.tolist()], dtype=np.int64
    )


def compare(
    truth: NDArray[Any],
    truth_numbers: NDArray[np.int64],
    *,
    sequence: NDArray[Any],
    intended_ns: NDArray[Any],
    sent_ns: NDArray[Any],
    done_ns: NDArray[Any],
    zero_ns: int,
) -> Errors:
    """Errors of the samples whose numbers the truth has. Sample times are ns since `zero_ns`, an absolute time."""
    order = np.argsort(truth_numbers, kind="stable")
    found = np.searchsorted(truth_numbers, sequence, sorter=order).clip(max=max(len(order) - 1, 0))
    rows = order[found] if len(order) else np.zeros(len(sequence), np.int64)
    matched = truth_numbers[rows] == sequence if len(order) else np.zeros(len(sequence), bool)
    true = truth[rows[matched]]
    service_true = (true["answered_ns"] - true["received_ns"]) / 1e6
    response_true = (true["answered_ns"] - zero_ns - intended_ns[matched]) / 1e6
    service = (done_ns - sent_ns)[matched] / 1e6
    response = (done_ns - intended_ns)[matched] / 1e6
    return Errors(
        matched=int(matched.sum()),
        service=_difference(service, service_true),
        response=_difference(response, response_true),
        true_response=_quantiles(response_true),
    )


def _quantiles(values: Floats) -> dict[str, float]:
    return {name: float(np.quantile(values, q)) if len(values) else float("nan") for name, q in QUANTILES.items()}


def _difference(reported: Floats, true: Floats) -> dict[str, float]:
    ours, truly = _quantiles(reported), _quantiles(true)
    return {name: ours[name] - truly[name] for name in QUANTILES}

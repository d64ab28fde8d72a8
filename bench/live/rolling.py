"""What one process's samples say of the last ten seconds and of the whole run, by variant. Pure (numpy).

It is shown the recorder's rows once they are written, once a second: the hot path pays nothing for it.
A response time is that of an answer that was ok, from when it was due; everything else counts by its outcome. Of
streams there is what a sample contains: the first token, and the mean time of those after it. Single gaps are in the
report only.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from bench.live.sketch import Sketch
from bench.sample import NO_TIME, Outcome, TokensFrom

WINDOW_S = 10
_NS = 1_000_000_000

Pairs = list[tuple[int, int]]


class Figures(TypedDict):
    """Over some time: how many ended how, and the times of those that went well. Plain values, for a message.

    What is of tokens is empty where nothing was streamed.
    """

    outcomes: dict[str, int]
    response_time: Pairs
    service_time: Pairs
    time_to_first_token: Pairs
    time_per_output_token: Pairs
    output_tokens: int


class VariantFigures(TypedDict):
    """`recent` is of the last `WINDOW_S` whole seconds."""

    recent: Figures
    whole: Figures
    replays: int


@dataclass(slots=True)
class _Sum:
    outcomes: Counter[str] = field(default_factory=Counter)
    response_time: Sketch = field(default_factory=Sketch)
    service_time: Sketch = field(default_factory=Sketch)
    time_to_first_token: Sketch = field(default_factory=Sketch)
    time_per_output_token: Sketch = field(default_factory=Sketch)
    output_tokens: int = 0

    def merge(self, other: _Sum) -> None:
        self.outcomes.update(other.outcomes)
        self.response_time.merge(other.response_time)
        self.service_time.merge(other.service_time)
        self.time_to_first_token.merge(other.time_to_first_token)
        self.time_per_output_token.merge(other.time_per_output_token)
        self.output_tokens += other.output_tokens

    def figures(self) -> Figures:
        return {
            "outcomes": dict(self.outcomes),
            "response_time": self.response_time.as_pairs(),
            "service_time": self.service_time.as_pairs(),
            "time_to_first_token": self.time_to_first_token.as_pairs(),
            "time_per_output_token": self.time_per_output_token.as_pairs(),
            "output_tokens": self.output_tokens,
        }

    def add_streams(self, rows: NDArray[Any]) -> None:
        """Streamed answers that ended well; one without a token has no times."""
        self.output_tokens += int(rows["output_tokens"].sum(dtype=np.int64))
        with_tokens = rows[rows["first_token_ns"] != NO_TIME]
        self.time_to_first_token.add(with_tokens["first_token_ns"] - with_tokens["intended_ns"])
        several = with_tokens[with_tokens["output_tokens"] > 1]
        took_ns = several["last_token_ns"] - several["first_token_ns"]
        self.time_per_output_token.add(took_ns / (several["output_tokens"].astype(np.int64) - 1))


class Rolling:
    """The figures of one process. `words` names a column's codes, as the recorder numbers them."""

    def __init__(self, words: Mapping[str, Mapping[str, int]]) -> None:
        self._words = words
        self._whole: dict[str, _Sum] = {}
        self._replays: Counter[str] = Counter()
        self._seconds: deque[tuple[int, dict[str, _Sum]]] = deque(maxlen=WINDOW_S + 2)

    def fold(self, rows: NDArray[Any]) -> None:
        """Rows that are about to be written, as they lie in memory: none is kept."""
        if not len(rows):
            return
        second = int(rows["done_ns"].max() // _NS)
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, {}))
        now = self._seconds[-1][1]
        names = {code: name for name, code in self._words["variant"].items()}
        for code, count in _counted(rows["variant"]):
            variant = names[code]
            own = rows if count == len(rows) else rows[rows["variant"] == code]
            added = self._sum_of(own)
            now.setdefault(variant, _Sum()).merge(added)
            self._whole.setdefault(variant, _Sum()).merge(added)
            self._replays[variant] += int(np.count_nonzero(own["attempt"]))

    def figures(self, now_s: float) -> dict[str, VariantFigures]:
        """By variant. `now_s` since the run's zero."""
        recent: dict[str, _Sum] = {}
        for second, sums in self._seconds:
            if second >= int(now_s) - WINDOW_S:
                for variant, one in sums.items():
                    recent.setdefault(variant, _Sum()).merge(one)
        return {
            variant: {
                "recent": recent.get(variant, _Sum()).figures(),
                "whole": whole.figures(),
                "replays": self._replays[variant],
            }
            for variant, whole in self._whole.items()
        }

    def _sum_of(self, rows: NDArray[Any]) -> _Sum:
        outcomes = {code: name for name, code in self._words["outcome"].items()}
        causes = {code: name for name, code in self._words["cause"].items()}
        made = _Sum()
        for kind, count in _counted(rows["outcome"].astype(np.int64) * 256 + rows["cause"]):
            outcome, cause = outcomes[kind >> 8], causes.get(kind & 255, "")
            made.outcomes[f"{outcome}: {cause}" if cause else outcome] += count
        good = rows["outcome"] == self._words["outcome"][Outcome.OK]
        ok = rows if good.all() else rows[good]
        made.response_time.add(ok["done_ns"] - ok["intended_ns"])
        made.service_time.add(ok["done_ns"] - ok["sent_ns"])
        streamed = ok["tokens_from"] != self._words["tokens_from"][TokensFrom.NONE]
        if streamed.any():
            made.add_streams(ok[streamed])
        return made


def _counted(codes: NDArray[Any]) -> list[tuple[int, int]]:
    """Each code that there is, and how often."""
    counts = np.bincount(codes)
    found = np.flatnonzero(counts)
    return list(zip(found.tolist(), counts[found].tolist(), strict=True))


def merge(several: Iterable[Mapping[str, VariantFigures]]) -> dict[str, VariantFigures]:
    """All workers' together."""
    merged: dict[str, VariantFigures] = {}
    for one in several:
        for variant, figures in one.items():
            if variant not in merged:
                merged[variant] = figures
                continue
            known = merged[variant]
            merged[variant] = {
                "recent": _both(known["recent"], figures["recent"]),
                "whole": _both(known["whole"], figures["whole"]),
                "replays": known["replays"] + figures["replays"],
            }
    return merged


def without_recent(figures: VariantFigures) -> VariantFigures:
    """Of somebody who sends nothing any more."""
    return {**figures, "recent": _Sum().figures()}


def _both(one: Figures, other: Figures) -> Figures:
    def pairs(left: Pairs, right: Pairs) -> Pairs:
        return Sketch([*left, *right]).as_pairs()

    return {
        "outcomes": dict(Counter(one["outcomes"]) + Counter(other["outcomes"])),
        "response_time": pairs(one["response_time"], other["response_time"]),
        "service_time": pairs(one["service_time"], other["service_time"]),
        "time_to_first_token": pairs(one["time_to_first_token"], other["time_to_first_token"]),
        "time_per_output_token": pairs(one["time_per_output_token"], other["time_per_output_token"]),
        "output_tokens": one["output_tokens"] + other["output_tokens"],
    }

"""Gathering the first failure of each kind, as a person would want to see it. Edge: writes `failures/<worker>.jsonl`.

A kind is variant, outcome, cause and status. No secret gets here: see `blot`. A server can make up statuses, so kinds
are limited in number; the samples count all.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.failure_sample import AnswerDetails, FailureSample
from bench.load.engine.blot import blot, blot_location
from bench.load.wire.answer import Answer
from bench.rundir import write_bytes

MOST_KINDS = 64
NOBODYS: Mapping[str, str] = MappingProxyType({})
_BODY_CHARACTERS = 200
_VALUE_CHARACTERS = 200
_MARK = "***"
_LIMIT = "x-ratelimit-"
_IS_LIMIT = re.compile(r"x-ratelimit-[a-z-]{1,40}")
_MOST_LIMITS = 8


def details_of(answer: Answer, *, detail: str, secret: str, more_secrets: tuple[str, ...] = ()) -> AnswerDetails:
    """What `answer` says, or `detail` where it never became one, with every secret blotted out."""
    phrase, headers = answer.parsed_head()

    def clean(text: str) -> str:
        for one in more_secrets:
            text = blot(text, one, most=len(text) + len(_MARK))
        return text

    def header(*names: str) -> str:
        found = (clean(headers[name]) for name in names if headers.get(name))
        return next((blot(text, secret, most=_VALUE_CHARACTERS) for text in found), "")

    limits = [name for name in headers if _IS_LIMIT.fullmatch(name)]
    raw = answer.body_start or (b"" if answer.status else answer.head)
    return AnswerDetails(
        reason=blot(clean(detail or phrase), secret, most=_VALUE_CHARACTERS),
        location=blot_location(clean(headers.get("location", "")), secret, most=_VALUE_CHARACTERS),
        model_status=header("ms-azureml-model-error-statuscode"),
        model_reason=header("ms-azureml-model-error-reason"),
        retry_after=header("retry-after"),
        limits=", ".join(f"{name.removeprefix(_LIMIT)} {header(name)}" for name in limits[:_MOST_LIMITS]),
        server=header("server"),
        request_id=header("x-request-id", "x-ms-request-id"),
        content_type=header("content-type"),
        body=blot(clean(raw.decode("utf-8", "replace")), secret, most=_BODY_CHARACTERS),
    )


class FailureSamples:
    """Those of one process; `rows` and the file hold the same. Each says `whose` it is (`run_id`, `worker`)."""

    def __init__(self, path: Path | None = None, *, whose: Mapping[str, str] = NOBODYS) -> None:
        self._path = path
        self._whose = whose
        self._kinds: dict[tuple[str, str, str, int], FailureSample] = {}
        self._written = 0

    def knows(self, variant: str, outcome: str, cause: str, status: int) -> bool:
        """Whether nothing more has to be kept of such a failure."""
        return len(self._kinds) >= MOST_KINDS or (variant, outcome, cause, status) in self._kinds

    def add(
        self, variant: str, verdict: tuple[str, str, int], *, at_ns: int, details: AnswerDetails
    ) -> FailureSample | None:
        """Count a failure (outcome, cause, status); `details` of the first of a kind are kept. None beyond 64."""
        key = (variant, *verdict)
        kind = self._kinds.get(key)
        if kind is not None:
            kind.count += 1
            kind.last_ns = max(kind.last_ns, at_ns)
            return kind
        if len(self._kinds) >= MOST_KINDS:
            return None
        outcome, cause, status = verdict
        kind = self._kinds[key] = FailureSample(
            variant=variant,
            outcome=outcome,
            cause=cause,
            status=status,
            count=1,
            first_ns=at_ns,
            last_ns=at_ns,
            **self._whose,
            **asdict(details),
        )
        return kind

    def rows(self) -> list[dict[str, Any]]:
        """Plain values, in the order in which the kinds were met."""
        return [asdict(kind) for kind in self._kinds.values()]

    def write(self, *, all_counts: bool = False) -> None:
        """Write the file anew if there is a kind it does not hold yet, or `all_counts` are wanted (at the end).

        A disk that takes nothing loses this explanation and no sample: those have a file of their own.
        """
        if self._path is None or not self._kinds or (len(self._kinds) == self._written and not all_counts):
            return
        with contextlib.suppress(OSError):
            lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in self.rows()]
            write_bytes(self._path, "".join(lines).encode("utf-8", "replace"))
            self._written = len(self._kinds)

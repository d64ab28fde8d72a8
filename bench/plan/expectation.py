"""What an answer must be beyond a 2xx: `--expect`, `--expect-json`, `--expect-body`. Pure.

    --expect       status | bytes   == != < <= > >=   number            status==200, bytes>=10
    --expect-json  path                                                 $.predictions        there, and not null
                   ! path                                               !$.error             not there, or null
                   path  == | !=  JSON                                  $.outputs[0].shape == [1, 2]
    --expect-body  a regular expression that must be found in the text of the body

A path is `$` followed by `.name`, `["any name"]` and `[index]`.
"""

from __future__ import annotations

import json
import operator
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.errors import UsageError

CAUSE = "expectation"
MOST_BYTES = 64 << 20
"""A body that is larger, or would be once it is unpacked, fails."""
MOST_OF_A_CORE = 0.1
"""What looking at bodies may take of a worker's core; beyond it only a share of them is looked at."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_NUMBER = re.compile(r"(status|bytes)\s*(==|!=|<=|>=|<|>)\s*(\d{1,12})")
_PATH = re.compile(r"(!?)\s*(\$(?:\.[\w-]+|\[\d+\]|\[\"[^\"]*\"\])*)\s*(?:(==|!=)\s*(.+))?", re.DOTALL)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class _Json:
    text: str
    steps: tuple[str | int, ...]
    absent: bool
    comparison: str
    value: Any

    def holds(self, document: Any) -> bool:
        for step in self.steps:
            try:
                document = document[step]
            except (KeyError, IndexError, TypeError):
                document = _ABSENT
                break
        if self.comparison:
            return document is not _ABSENT and _COMPARISONS[self.comparison](document, self.value)
        return (document is _ABSENT or document is None) == self.absent


@dataclass(frozen=True, slots=True)
class Expectation:
    """Everything one run expects of an answer."""

    numbers: tuple[tuple[str, str, str, int], ...]
    paths: tuple[_Json, ...]
    patterns: tuple[re.Pattern[str], ...]

    @property
    def needs_body(self) -> bool:
        return bool(self.paths or self.patterns)

    def failure(self, *, status: int, size: int, body: bytes, encoding: str) -> str:
        """What is not as expected, or "". `body` as it came, `encoding` as its Content-Encoding says."""
        return self.failure_of_numbers(status=status, size=size) or self.failure_of_body(body, encoding)

    def failure_of_numbers(self, *, status: int, size: int) -> str:
        """The same of what costs nothing to look at."""
        for text, what, comparison, number in self.numbers:
            found = status if what == "status" else size
            if not _COMPARISONS[comparison](found, number):
                return f"expected {text}, {what} is {found}"
        return ""

    def failure_of_body(self, body: bytes, encoding: str) -> str:
        """The same of the body alone."""
        if not self.needs_body:
            return ""
        try:
            plain = unpacked(body, encoding)
        except ValueError as exc:
            return f"expected a body that can be read: {exc}"
        if self.paths:
            try:
                document = _document(plain)
            except (ValueError, RecursionError):
                return "expected JSON, the body is none"
            for path in self.paths:
                if not path.holds(document):
                    return f"expected {path.text}"
        for pattern in self.patterns:
            if not pattern.search(plain.decode("utf-8", "replace")):
                return f"expected a body like {pattern.pattern}"
        return ""


def expectation_of(expect: Sequence[str], expect_json: Sequence[str], expect_body: Sequence[str]) -> Expectation | None:
    """None when nothing is expected. UsageError names the option and the text that cannot be read."""
    if not (expect or expect_json or expect_body):
        return None
    return Expectation(
        tuple(_number(text.strip()) for text in expect),
        tuple(_path(text.strip()) for text in expect_json),
        tuple(_pattern(text) for text in expect_body),
    )


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without gzip or deflate. ValueError for what cannot be read, or is too large."""
    for name in reversed([word.strip().lower() for word in encoding.split(",") if word.strip()]):
        if name in {"identity", ""}:
            continue
        if name not in {"gzip", "x-gzip", "deflate"}:
            raise ValueError(f"content-encoding {name[:20]}")
        body = _inflated(body)
    if len(body) > MOST_BYTES:
        raise ValueError("it is too large to be checked")
    return body


def _inflated(body: bytes) -> bytes:
    for window in (47, -15):  # gzip or zlib by its header; deflate without one, as some servers send it
        unpacker = zlib.decompressobj(window)
        try:
            plain = unpacker.decompress(body, MOST_BYTES + 1)
        except zlib.error:
            continue
        if unpacker.eof or len(plain) > MOST_BYTES:
            return plain
    raise ValueError("what was packed is damaged")


def _document(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return json.loads(body)  # Python's servers write NaN


def _number(text: str) -> tuple[str, str, str, int]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UsageError(f"--expect: {text[:60]!r} cannot be read", hint="write status==200 or bytes>=10")
    what, comparison, number = match[1], match[2], int(match[3])
    if what == "status" and comparison == "==" and not 200 <= number < 300:
        raise UsageError(f"--expect: {text}: an answer is ok with a 2xx only", hint="write status==200")
    return text, what, comparison, number


def _path(text: str) -> _Json:
    match = _PATH.fullmatch(text)
    hint = 'write $.predictions, !$.error or $.model == "m"'
    if match is None or (match[1] and match[3]):
        raise UsageError(f"--expect-json: {text[:60]!r} cannot be read", hint=hint)
    value = None
    if match[3]:
        try:
            value = json.loads(match[4])
        except ValueError as exc:
            raise UsageError(f"--expect-json: {match[4][:40]!r} is not JSON", hint=hint) from exc
    steps = tuple(int(index) if index else name or quoted for name, index, quoted in _STEP.findall(match[2]))
    return _Json(text, steps, bool(match[1]), match[3] or "", value)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise UsageError(f"--expect-body: {text[:60]!r}: {exc}", hint="give a regular expression") from exc

"""What is wrong with a body before it is sent: encodings that no scoring server reads, and what is not JSON. Pure."""

from __future__ import annotations

import codecs
import json

import msgspec

from bench.errors import UsageError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AS_UTF8 = "save it as UTF-8"


def is_json(content_type: str) -> bool:
    """`application/json`, `application/vnd.x+json; charset=utf-8`."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def as_utf8(raw: bytes, *, where: str) -> bytes:
    """Text without a byte order mark. UsageError when it is UTF-16 or UTF-32."""
    if raw.startswith(codecs.BOM_UTF8):
        return raw[len(codecs.BOM_UTF8) :]
    if raw.startswith(_UTF16) or b"\0" in raw[:2]:
        raise UsageError(f"{where} is UTF-16 or UTF-32, which scoring servers refuse", hint=_AS_UTF8)
    return raw


def check_json(raw: bytes, *, where: str, hint: str) -> bool:
    """UsageError unless `raw` is one JSON document. Returns whether it holds NaN or Infinity, which are not JSON but
    which Python's servers take."""
    try:
        raw.decode("utf-8")
        msgspec.json.decode(raw, type=msgspec.Raw)
    except UnicodeDecodeError as exc:
        raise UsageError(f"{where} is not JSON: byte {exc.start + 1} is not UTF-8", hint=_AS_UTF8) from exc
    except (msgspec.DecodeError, RecursionError):
        return _check_slowly(raw, where=where, hint=hint)
    return False


def _check_slowly(raw: bytes, *, where: str, hint: str) -> bool:
    """By Python's own reader, whose messages say where, and which takes NaN."""
    found: list[str] = []
    try:
        json.loads(raw, parse_constant=found.append)
    except ValueError as exc:
        raise UsageError(f"{where} is not JSON: {exc}", hint=hint) from exc
    except RecursionError as exc:
        raise UsageError(f"{where} is nested too deeply", hint=hint) from exc
    return bool(found)

"""Reading a file against its type. Edge: reads files; msgspec checks them.

What passes is handed on as plain values, as it lies in the file; what does not is refused in one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench.errors import BenchError, RunInvalid, UsageError
from bench.rundir import read_bytes
from bench.schemas.run_files import HealthEnd, HealthTick
from bench.schemas.values import VERSION

Decoded = TypeVar("Decoded")

_HINTS = {RunInvalid: "the folder is damaged: run it again", UsageError: "is it a file of this tool?"}


class NewerVersion(ValueError):
    """A newer version of this tool wrote it."""


def load(path: Path, schema: Any, *, error: type[BenchError] = RunInvalid) -> dict[str, Any]:
    """The JSON object in `path`, when it is as `schema` says; else `error`, in one line.

    UsageError when there is no such file.
    """
    try:
        raw = read_bytes(path)
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist", hint="name a run folder such as results/<run_id>") from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise error(f"{path} cannot be read: {why}", hint=_HINTS.get(error, "")) from exc
    try:
        return decode(raw, schema)
    except ValueError as exc:
        raise error(f"{path} {exc}", hint=_HINTS.get(error, "")) from exc


def decode(raw: bytes, schema: Any) -> dict[str, Any]:
    """A JSON object. ValueError with the end of a sentence that begins with the file's name."""
    try:
        values = msgspec.json.decode(raw)
        if not isinstance(values, dict):
            raise ValueError("does not hold a JSON object")  # noqa: TRY004 - one kind of error for what does not fit
        version = values.get("schema_version")
        if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
            raise NewerVersion(f"has schema_version {version}, this version reads {VERSION}: update this tool")
        msgspec.convert(values, HealthEnd if schema is HealthTick and values.get("end") is True else schema)
    except msgspec.ValidationError as exc:
        raise ValueError(f"does not fit its schema: {exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(f"is no JSON: {exc}") from exc
    return values


def decode_as(raw: bytes, schema: type[Decoded]) -> Decoded:
    """The same as an object of that type."""
    return msgspec.convert(decode(raw, schema), schema)


def load_lines(path: Path, schema: Any, *, cut: bool) -> tuple[list[dict[str, Any]], str]:
    """Every line of a JSON Lines file, and what is wrong with the first bad one; no line at all when there is one.

    With `cut` (a killed run) the last line may be half written, and is left out.
    """
    try:
        raw = read_bytes(path)
    except FileNotFoundError:
        return [], "is missing"
    except (OSError, ValueError) as exc:
        return [], f"cannot be read: {exc.strerror if isinstance(exc, OSError) and exc.strerror else exc}"
    *lines, rest = raw.split(b"\n")
    if rest and not cut:
        return [], "is cut off in its last line"
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decode(line, schema))
        except ValueError as exc:
            return [], f"line {number} {exc}"
    return records, ""


def fault_of(values: Any, schema: Any) -> str:
    """What is wrong with values that were read elsewhere; empty when they are as `schema` says."""
    try:
        msgspec.convert(values, schema)
    except msgspec.ValidationError as exc:
        return str(exc)
    return ""

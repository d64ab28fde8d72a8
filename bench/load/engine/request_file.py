"""The lines of `--requests FILE.jsonl`: one request each, with headers, route, class, weight and time. Edge: reads it.

Their schema is `docs/schemas/requests.json`. Everything is checked before the first request, and a line that cannot be
sent is named by its number. A file too large to be kept is read again, line by line, when requests are due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from bench.errors import UsageError
from bench.load.engine.bodies import Bodies, Lines, kept_or_not, read_regular, type_of
from bench.load.engine.body_checks import as_utf8, check_json, is_json
from bench.load.engine.payload import JSON, Payload
from bench.plan.request_plan import RequestPlan, Route, checked_header, content_type_of, method_of, path_of

MOST_CLASSES = 200
_MOST_SECONDS = 366 * 86_400.0


class Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"request_class": "class"}):
    """One request. `body` is any JSON and is sent as it stands; a text goes as it is where `content_type` is not JSON.

    `body_file` is relative to the request file's folder. `weight` is how often this request is sent, beside the others;
    `at_s` when it is due, in seconds since the run's start: with it on every line the file is replayed as a trace.
    """

    body: Any | msgspec.UnsetType = msgspec.UNSET
    body_file: Annotated[str, msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET
    content_type: str = ""
    headers: dict[str, str] = {}
    path: str = ""
    method: str = ""
    request_class: Annotated[str, msgspec.Meta(max_length=60, pattern=r"^[\w.-]*$")] = ""
    weight: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1.0
    at_s: Annotated[float, msgspec.Meta(ge=0, le=_MOST_SECONDS)] | None = None


class _LineAsWritten(Line, kw_only=True, forbid_unknown_fields=True, rename={"request_class": "class"}):
    """The same, with the body's bytes as they stand in the file."""

    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_DECODER = msgspec.json.Decoder(_LineAsWritten)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFile:
    """What was read. `weights` and `at_s` are in the file's order, and empty where no line gives any."""

    requests: Sequence[Payload]
    sha256: str
    weights: tuple[float, ...]
    at_s: tuple[float, ...]
    classes: tuple[str, ...]


def schema() -> dict[str, Any]:
    """JSON Schema of a line."""
    _, components = msgspec.json.schema_components([Line], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **components["Line"],
        "title": "One line of a request file (bench run --requests FILE.jsonl)",
        "description": " ".join((Line.__doc__ or "").split()),
    }


def load_requests(plan: RequestPlan) -> RequestFile:
    """Everything in `plan.requests`. UsageError with the line's number for what cannot be sent."""
    lines = Lines(plan.requests)
    if not len(lines):
        raise UsageError(f"--requests {plan.requests} is empty", hint="give at least one line")
    weights: list[float] = []
    at_s: list[float] = []
    classes: dict[str, None] = {}
    timed = False
    for index, number in enumerate(lines.numbers):
        where = f"--requests {plan.requests}, line {number}"
        line = _decode(lines.read(index), where)
        _frame(line, plan, where=where)
        if index and (line.at_s is not None) != timed:
            raise UsageError(f"{where}: at_s must stand on every line or on none", hint="a trace has all its times")
        timed = line.at_s is not None
        weights.append(line.weight)
        at_s.append(line.at_s or 0.0)
        classes[line.request_class] = None
        if len(classes) > MOST_CLASSES:
            raise UsageError(f"{where}: more than {MOST_CLASSES} classes", hint="a class is a kind of request")

    def read(index: int) -> Payload:
        where = f"--requests {plan.requests}, line {lines.numbers[index]}"
        return _frame(_decode(lines.read(index), where), plan, where=where)

    requests = kept_or_not(len(lines), read, plan.requests)
    if isinstance(requests, Bodies):
        lines.close()
    return RequestFile(
        requests=requests,
        sha256=lines.sha256,
        weights=() if timed else tuple(weights),
        at_s=tuple(at_s) if timed else (),
        classes=tuple(classes),
    )


def _decode(raw: bytes, where: str) -> _LineAsWritten:
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        hint = "see docs/guides/payloads.md for what a line may hold"
        raise UsageError(f"{where}: {exc}", hint=hint) from exc


def _frame(line: _LineAsWritten, plan: RequestPlan, *, where: str) -> Payload:
    body, content_type = _body_of(line, plan, where)
    own = tuple(checked_header(name, value, where=where) for name, value in line.headers.items())
    return Payload.of(
        body,
        content_type=content_type,
        headers=own,
        request_class=line.request_class,
        route=_route(line, where),
    )


def _route(line: _LineAsWritten, where: str) -> Route | None:
    if not line.method and not line.path:
        return None
    return method_of(line.method, where=where) if line.method else "", path_of(line.path, where=where)


def _body_of(line: _LineAsWritten, plan: RequestPlan, where: str) -> tuple[bytes, str]:
    content_type = content_type_of(line.content_type, where=where) or plan.content_type
    if line.body_file is not msgspec.UNSET:
        if line.body is not msgspec.UNSET:
            raise UsageError(f"{where}: body and body_file exclude each other", hint="give one of them")
        path = str(Path(plan.requests).parent / line.body_file)
        raw = read_regular(path, option=f"{where}: body_file")
        content_type = content_type or type_of(path, raw)
        if is_json(content_type):
            raw = as_utf8(raw, where=f"{where}: {path}").strip()
            check_json(raw, where=f"{where}: {path}", hint="give one JSON document, or another content_type")
        return raw, content_type
    if line.body is msgspec.UNSET:
        if (line.method or plan.method).upper() in {"GET", "DELETE"}:
            return b"", ""
        raise UsageError(f"{where} has neither body nor body_file", hint="give one of them")
    raw = bytes(line.body)
    if content_type and not is_json(content_type):
        text = msgspec.json.decode(raw)
        if not isinstance(text, str):
            raise UsageError(f"{where}: a body of {content_type} must be a text", hint="or give it as body_file")
        return text.encode(), content_type
    return raw, content_type or JSON

"""How a run's requests are made, beside their bodies: headers, route, method, content type. Pure noun.

A header is refused where it could end the head early, where the harness writes it itself, and, on a command line or in
a file, where its name says that it holds a secret: that comes from the environment, by `--header-env Name=VARIABLE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bench.errors import UsageError
from bench.plan.expectation import Expectation, expectation_of
from bench.plan.prompt_plan import PromptPlan, prompt_plan_of

Header = tuple[str, str]
Route = tuple[str, str]
"""(method, path); an empty path is the scoring URI's own."""

METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
"""Without HEAD, whose answer announces a body that never comes."""

DEFAULT_METHOD = METHODS[0]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: a token
_IS_LIST = re.compile(r'\s*\[\s*("|\])')
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r"authori[sz]ation|cookie|token|secret|passw|credential|signature|(api|access|subscription)[-_]?key"
)
_OWN = {
    "authorization": "the secret comes from the target: --endpoint, or BENCH_KEY or BENCH_TOKEN",
    "azureml-model-deployment": "use --deployment",
    "content-type": "use --content-type",
    "traceparent": "use --traceparent",
    **dict.fromkeys(("host", "content-length", "x-ms-client-request-id"), "the harness writes it for every request"),
    **dict.fromkeys(
        ("connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        "it belongs to the connection, which the harness keeps",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan:
    """Part of the run's plan. `header_env` pairs a header's name with the environment variable that holds its value,
    so that the plan, which goes into the manifest, holds no secret. `chat_fields` is a JSON object; `think_s` is the
    pause before a turn of a conversation that does not say otherwise."""

    content_type: str = ""
    headers: tuple[Header, ...] = ()
    header_env: tuple[Header, ...] = ()
    path: str = ""
    method: str = DEFAULT_METHOD
    requests: str = ""
    requests_sha256: str = ""
    chat: str = ""
    chat_fields: str = ""
    prompts: PromptPlan | None = None
    think_s: float = 0.0
    expect: tuple[str, ...] = ()
    expect_json: tuple[str, ...] = ()
    expect_body: tuple[str, ...] = ()

    @property
    def expectation(self) -> Expectation | None:
        """What answers must be beyond a 2xx."""
        return expectation_of(self.expect, self.expect_json, self.expect_body)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        pairs = {
            name: tuple((str(key), str(value)) for key, value in values.get(name, ()))
            for name in ("headers", "header_env")
        }
        words = {
            name: str(values[name])
            for name in ("content_type", "path", "method", "requests", "requests_sha256", "chat", "chat_fields")
            if name in values
        }
        prompts = values.get("prompts")
        texts = {name: tuple(map(str, values.get(name, ()))) for name in ("expect", "expect_json", "expect_body")}
        known: dict[str, Any] = {**words, **pairs, **texts, "think_s": float(values.get("think_s", 0.0))}
        return cls(**known, prompts=PromptPlan.from_json(prompts) if prompts else None)


def request_plan_of(text: Mapping[str, str], *, think_s: float = 0.0) -> RequestPlan:
    """What the options ask for, by their names. UsageError names the option that cannot be read."""
    headers = tuple(parse_header(line, option="--header") for line in listed(text.get("header", "")))
    from_environment = tuple(_header_env(line) for line in listed(text.get("header_env", "")))
    _refuse_twice([*headers, *from_environment])
    sources = [
        f"--{name.replace('_', '-')}" for name in ("payload", "requests", "chat", "prompt_tokens") if text.get(name)
    ]
    if len(sources) > 1:
        raise UsageError(f"{' and '.join(sources[-2:])} exclude each other", hint="give one of them")
    expect, expect_json, expect_body = (listed(text.get(name, "")) for name in ("expect", "expect_json", "expect_body"))
    expectation_of(expect, expect_json, expect_body)
    return RequestPlan(
        content_type=content_type_of(text.get("content_type", ""), where="--content-type"),
        headers=headers,
        header_env=from_environment,
        path=path_of(text.get("path", ""), where="--path"),
        method=method_of(text.get("method") or DEFAULT_METHOD, where="--method"),
        requests=text.get("requests", ""),
        chat=text.get("chat", ""),
        chat_fields=chat_fields_of(text.get("chat_fields", "")),
        prompts=prompt_plan_of(text),
        think_s=think_s,
        expect=expect,
        expect_json=expect_json,
        expect_body=expect_body,
    )


def chat_fields_of(text: str) -> str:
    """A JSON object of fields that every chat body gets, as it was written. UsageError for what cannot be one."""
    if not text:
        return ""
    hint = """write '{"model": "m", "temperature": 0}'"""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"--chat-fields: {text[:40]!r} is not JSON", hint=hint) from exc
    if not isinstance(fields, dict):
        raise UsageError(f"--chat-fields: {text[:40]!r} is no JSON object", hint=hint)
    if taken := [name for name in ("messages", "prompt", "turns") if name in fields]:
        raise UsageError(f"--chat-fields: {taken[0]} is each conversation's own", hint="write it into the --chat file")
    return text


def listed(text: str) -> tuple[str, ...]:
    """The values of an option that may be given several times: a JSON list of them, or one as it stands."""
    if not _IS_LIST.match(text):
        return (text,) if text.strip() else ()
    try:
        values = json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{text[:40]!r} is not a JSON list", hint='write ["one", "two"]') from exc
    if not all(isinstance(value, str) for value in values):
        raise UsageError(f"{text[:40]!r} is not a list of texts", hint='write ["one", "two"]')
    return tuple(values)


def parse_header(line: str, *, option: str) -> Header:
    """`Name: value` as a header that may be sent. The message never shows the value."""
    name, colon, value = line.partition(":")
    if not colon:
        raise UsageError(f"{option}: {name[:40]!r} has no colon", hint="write 'Name: value'")
    return checked_header(name.strip(" \t"), value.strip(" \t"), where=option)


def checked_header(name: str, value: str, *, where: str) -> Header:
    """A header of an option or of a request file. UsageError when it must not be sent."""
    _check_name(name, where=where)
    if _SECRET.search(name.lower()):
        raise UsageError(
            f"{where}: {name} looks like a secret, which a process list or a file would show",
            hint=f"export it, and give --header-env {name}=VARIABLE",
        )
    return name, checked_value(value, where=f"{where}: {name}")


def checked_value(value: str, *, where: str) -> str:
    """The value of a header. UsageError, which does not show it, when it holds what a header cannot."""
    if any(not (" " <= character <= "~" or character == "\t") for character in value):
        raise UsageError(f"{where}: the value holds a character that no header can", hint="check for line breaks")
    return value


def path_of(text: str, *, where: str) -> str:
    """A path that replaces the scoring URI's own; its host stays."""
    if text and (not text.startswith("/") or any(not "!" <= character <= "~" for character in text) or "#" in text):
        raise UsageError(f"{where}: {text[:60]!r} is not a path", hint="write /v2/models/m/infer, percent-encoded")
    return text


def method_of(text: str, *, where: str) -> str:
    """One of `METHODS`, in either case."""
    if text.upper() not in METHODS:
        raise UsageError(
            f"{where}: {text[:20]!r} is no method that can be measured", hint=f"one of {', '.join(METHODS)}"
        )
    return text.upper()


def content_type_of(text: str, *, where: str) -> str:
    """A media type such as `image/png`, with parameters."""
    if text and not re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;[ -~]*)?", text, re.ASCII):
        raise UsageError(f"{where}: {text[:60]!r} is not a content type", hint="write image/png or text/csv")
    return text


def _header_env(line: str) -> Header:
    name, sign, variable = (part.strip() for part in line.partition("="))
    _check_name(name, where="--header-env")
    if not sign or not _VARIABLE.fullmatch(variable):
        raise UsageError(f"--header-env {name}: which variable?", hint=f"write --header-env {name}=VARIABLE")
    return name, variable


def _check_name(name: str, *, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {name[:40]!r} is not a header's name", hint="write 'Name: value'")
    if why := _OWN.get(name.lower()):
        raise UsageError(f"{where}: {name} cannot be set", hint=why)


def _refuse_twice(headers: Iterable[Header]) -> None:
    seen: set[str] = set()
    for name, _ in headers:
        if name.lower() in seen:
            raise UsageError(f"the header {name} is given twice", hint="give it once")
        seen.add(name.lower())

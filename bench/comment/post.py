"""Finds the comment by its marker and updates it, or makes it. Edge: HTTP with the CI server's token.

Redirects are not followed, for the token would go along. An error says status and what to do; never what the server
said, which may repeat the token.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from bench.comment.platforms import PER_PAGE, Ask, Found, Platform
from bench.errors import BenchError

_TIMEOUT_S = 30.0
_MOST_BYTES = 32 << 20
_MOST_PAGES = 100
_TRIES = 3
_LONGEST_WAIT_S = 20.0
_REFUSED = {
    401: "the token is not valid here",
    403: "the token may not write comments; that of a fork's pull request never may: comment from a second workflow",
    404: "no such pull request, or the token may not see it",
    413: "the comment is too long",
    422: "the comment is not taken",
}


class _Refused(BenchError):
    """The platform's answer was no."""

    def __init__(self, platform: Platform, status: int) -> None:
        super().__init__(f"{platform.name} answered {status}", hint=_REFUSED.get(status, "try again later"))
        self.status = status


class _Unwell(_Refused):
    """5xx, 429, or no answer: worth another try."""


def publish(platform: Platform, text: str, *, marker: str, sleep: Callable[[float], None] = time.sleep) -> str:
    """`updated` or `made`. BenchError when the platform does not take it.

    A try begins with looking: one whose answer was lost may have made the comment.
    """
    for number in range(_TRIES):
        try:
            return _try(platform, text, marker)
        except _Unwell:
            if number == _TRIES - 1:
                raise
            sleep(min(2.0**number, _LONGEST_WAIT_S))
    raise AssertionError("unreachable")


def _try(platform: Platform, text: str, marker: str) -> str:
    ours = _ours(platform, marker)
    if ours is not None:
        with contextlib.suppress(_NotOurs):
            _change(platform, ours, text)
            return "updated"
    _ask(platform, platform.creation(text))
    return "made"


class _NotOurs(Exception):
    """Somebody else's comment carries the marker, or it was deleted since."""


def _change(platform: Platform, found: Found, text: str) -> None:
    try:
        _ask(platform, platform.change(found, text))
    except _Refused as exc:
        if exc.status in (403, 404):
            raise _NotOurs from exc
        raise


def _ours(platform: Platform, marker: str) -> Found | None:
    """The first comment that ends with the marker."""
    for page in range(1, _MOST_PAGES + 1):
        answer = _ask(platform, platform.listing(page))
        for found in platform.found(answer):
            if found.text.rstrip().endswith(marker):
                return found
        if not platform.pages or not isinstance(answer, list) or len(answer) < PER_PAGE:
            return None
    return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(platform: Platform, ask: Ask) -> Any:
    content = None if ask.content is None else json.dumps(ask.content).encode()
    headers = {**platform.headers, "Content-Type": "application/json", "User-Agent": "azureml-endpoint-bench"}
    request = urllib.request.Request(ask.url, data=content, headers=headers, method=ask.method)  # noqa: S310 - checked
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
            raw = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as exc:
        exc.close()
        kind = _Unwell if exc.code >= 500 or exc.code == 429 else _Refused
        raise kind(platform, exc.code) from None
    except (OSError, HTTPException):
        raise _Unwell(platform, 0) from None
    if len(raw) > _MOST_BYTES:
        raise _Refused(platform, 200)
    try:
        return json.loads(raw or b"null")
    except (ValueError, RecursionError):
        raise _Unwell(platform, 200) from None

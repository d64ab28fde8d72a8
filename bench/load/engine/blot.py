"""Foreign text made fit to be kept and shown: no secret in it, nothing that steers a terminal or a CI server. Pure.

A server may send back what it was sent, and does so in error pages. Blotted out are the secret itself, JSON web tokens,
whatever follows `Bearer` or a name such as `password=`, and words that look like a key: 20 or more characters of the
base64 alphabet in which upper case, lower case and digits meet, or that are hexadecimal. A GUID is none of these.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bench.plain_text import harmless, printable

_SHORTEST_SECRET = 4
_MARK = "***"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_JWT = re.compile(r"\beyJ[\w-]{5,}(\.[\w-]*){0,4}")
_AFTER_A_NAME = re.compile(
    r"(?i)\b(bearer\s+|(?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|signature)|sig|pwd)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'&,;}]{3,}"
)
_WORD = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"[0-9a-fA-F]{24,}")
_PARTS = re.compile(r"[/+=]")


def blot(text: str, secret: str, *, most: int) -> str:
    """`text` on one line of at most `most` characters, with `secret` and everything like one replaced by `***`."""
    for form in {secret, quote(secret, safe="")} if len(secret) >= _SHORTEST_SECRET else ():
        text = text.replace(form, _MARK)
    text = _AFTER_A_NAME.sub(rf"\g<1>{_MARK}", _JWT.sub(_MARK, text))
    text = _WORD.sub(lambda found: _MARK if _is_like_a_key(found[0]) else found[0], text)
    text = _without_a_cut_secret(text, secret)
    line = harmless(printable(text))
    return line if len(line) <= most else line[: most - 1] + "…"


def blot_location(text: str, secret: str, *, most: int) -> str:
    """The same of a URI, without user, password and query."""
    path, mark, _ = text.partition("?")
    scheme, slashes, rest = path.rpartition("//")
    host, slash, way = rest.partition("/")
    return blot(f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{way}{mark and '?***'}", secret, most=most)


def _without_a_cut_secret(text: str, secret: str) -> str:
    """Only the start of a body is kept, which may end within the secret."""
    for length in range(min(len(secret), len(text)), _SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + _MARK
    return text


def _is_like_a_key(word: str) -> bool:
    return any(_is_random(part) for part in _PARTS.split(_GUID.sub("", word)))


def _is_random(part: str) -> bool:
    if _HEX.search(part):
        return True
    mixed = any(c.isdigit() for c in part) and any(c.isupper() for c in part) and any(c.islower() for c in part)
    return mixed and len(part) >= 20

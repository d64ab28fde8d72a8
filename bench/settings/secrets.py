"""What must not stand in a settings file, which is committed and shown: a secret, by its name or its look. Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

CURE = "take it out, export BENCH_KEY or BENCH_TOKEN instead, and renew the secret if anybody could read the file"
URI_CURE = "take it out, and export the whole URI as BENCH_SCORING_URI instead"

_NAME = re.compile(
    r"(^|[-_])(key|token|keys|tokens|pat|sas)([-_]?\d+)?$|secret|passw|credential|authori[sz]ation|api[-_]?key",
    re.IGNORECASE,
)
_LOOK = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.|\bbearer\s+\S{8,}", re.IGNORECASE)
_IN_A_QUERY = re.compile(r"^(code|sig)$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a key of this name would hold a secret. No option has such a name."""
    return _NAME.search(name) is not None


def secret_in(text: str) -> str:
    """How to give the secret that `text` seems to hold; empty when it holds none."""
    if _LOOK.search(text):
        return CURE
    return URI_CURE if any(_in_a_uri(word) for word in text.split(",") if "://" in word) else ""


def _in_a_uri(uri: str) -> bool:
    try:
        parts = urlsplit(uri.strip())
        has_password = parts.password is not None
    except ValueError:
        return False
    names = (name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return has_password or any(_IN_A_QUERY.match(name) or is_secret_name(name) for name in names)

"""What a chat body says beside its messages. Pure."""

from __future__ import annotations

import msgspec

Fields = dict[str, msgspec.Raw]
"""Names and values as they stand in the JSON."""

decode = msgspec.json.Decoder(Fields).decode
"""Of a JSON object. Raises msgspec.DecodeError."""

_TRUE = msgspec.Raw(b"true")
_USAGE = msgspec.Raw(b'{"include_usage":true}')


def streamed(fields: Fields) -> Fields:
    """With what makes the answer measurable, where nothing is said of it: a stream, and usage at its end."""
    found = dict(fields)
    if _says_nothing(found, "stream"):
        found["stream"] = _TRUE
    if bytes(found["stream"]) != b"false" and _says_nothing(found, "stream_options"):
        found["stream_options"] = _USAGE
    return found


def _says_nothing(fields: Fields, name: str) -> bool:
    return name not in fields or bytes(fields[name]) == b"null"

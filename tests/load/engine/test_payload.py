"""Payload files, good and bad."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.load.engine.payload import DEFAULT_BODY, Payload, load_bodies

LINES = [b'{"n": %d}' % number for number in range(50)]


def test_no_file_is_a_small_body() -> None:
    """It is JSON, and its digest is that of the body."""
    bodies, digest = load_bodies("", seed=0)
    assert bodies == (DEFAULT_BODY,)
    json.loads(DEFAULT_BODY)
    assert digest == hashlib.sha256(DEFAULT_BODY).hexdigest()


def test_a_json_file_is_one_body(tmp_path: Path) -> None:
    """As it stands, but for white space around it; the digest is the file's."""
    path = tmp_path / "body.json"
    path.write_bytes(b'\n {"input_data": [[1,\n 2]]} \n')
    bodies, digest = load_bodies(str(path), seed=0)
    assert bodies == (b'{"input_data": [[1,\n 2]]}',)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.ndjson", "FEED.JSONL"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\n\n"])
def test_a_jsonl_file_is_one_body_a_line(name: str, newline: bytes, tmp_path: Path) -> None:
    """Each line once, in an order that the seed decides and that is the same for every worker."""
    path = tmp_path / name
    path.write_bytes(newline.join(LINES))
    bodies, digest = load_bodies(str(path), seed=1)
    assert sorted(bodies) == sorted(LINES)
    assert list(bodies) != LINES
    assert load_bodies(str(path), seed=1) == (bodies, digest)
    assert load_bodies(str(path), seed=2)[0] != bodies


def test_a_body_is_framed_for_the_wire() -> None:
    """Content type and length, then the request's id, then the body itself."""
    payload = Payload.of(b'{"a": 1}')
    whole = payload.head + b"ID" + payload.tail
    head, _, body = whole.partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.split(b"\r\n") == [
        b"Content-Type: application/json",
        b"Content-Length: 8",
        b"x-ms-client-request-id: ID",
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.json", b"", ["not JSON"]),
        ("blank.jsonl", b"\n \n", ["empty", "at least one line"]),
        ("broken.json", b'{"a": ', ["not JSON", ".jsonl"]),
        ("two.json", b"{}\n{}", ["not JSON", ".jsonl"]),
        ("third.jsonl", b"{}\n\n{}\n{oops}\n", ["line 4", "not JSON"]),
        ("binary.json", b"\xff\xfe\x00\x01", ["not JSON"]),
        ("latin.json", '{"a": "ä"}'.encode("latin-1"), ["not JSON"]),
        ("deep.json", b"[" * 200_000, ["nested too deeply"]),
    ],
)
def test_a_file_that_is_not_json(name: str, content: bytes, words: list[str], tmp_path: Path) -> None:
    """One line that names the file, the line in it, and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_bodies(str(path), seed=0)
    for word in (str(path), *words):
        assert word in caught.value.describe()
    assert "\n" not in caught.value.describe()


@pytest.mark.parametrize("path", ["/nowhere/body.json", "/", "a\0b", "/etc/passwd/x"])
def test_a_file_that_cannot_be_read(path: str) -> None:
    """Missing, a folder, or not even a name."""
    with pytest.raises(UsageError, match="--payload"):
        load_bodies(path, seed=0)


@given(content=st.binary(max_size=200), name=st.sampled_from(("f.json", "f.jsonl")))
@settings(max_examples=150)
def test_any_file_gives_bodies_or_a_usage_error(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And bodies are JSON without line breaks around them."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        bodies, _ = load_bodies(str(path), seed=0)
    except UsageError:
        return
    assert bodies
    for body in bodies:
        assert body == body.strip()
        json.loads(body)

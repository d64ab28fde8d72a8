"""What `--payload` may name, good and bad."""

from __future__ import annotations

import hashlib
import json
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import RunInvalid, UsageError
from bench.load.engine import bodies
from bench.load.engine.bodies import Framing, load_bodies
from bench.load.engine.payload import DEFAULT_BODY, JSON, Payload

LINES = [b'{"n": %d}' % number for number in range(50)]


def sent(path: Path | str, *, content_type: str = "") -> list[tuple[bytes, str]]:
    """Body and content type of everything in `path`, in order."""
    framed, _ = load_bodies(str(path), framing=Framing(content_type=content_type))
    return [_parts(payload) for payload in framed]


def _parts(payload: Payload) -> tuple[bytes, str]:
    head = payload.head.decode()
    kinds = [line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Content-Type")]
    return payload.tail.removeprefix(b"\r\n\r\n"), kinds[0] if kinds else ""


def test_no_file_is_a_small_body() -> None:
    """It is JSON, and its digest is that of the body; a GET has none."""
    framed, digest = load_bodies("", framing=Framing())
    assert [_parts(payload) for payload in framed] == [(DEFAULT_BODY, JSON)]
    json.loads(DEFAULT_BODY)
    assert digest == hashlib.sha256(DEFAULT_BODY).hexdigest()
    assert _parts(load_bodies("", framing=Framing(bodiless=True))[0][0]) == (b"", "")


def test_a_body_is_framed_for_the_wire() -> None:
    """Own headers, content type and length, then the request's id, then the body itself."""
    payload = Payload.of(b'{"a": 1}', headers=[("X-Shape", "1,2")])
    whole = payload.head + b"ID" + payload.tail
    head, _, body = whole.partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.split(b"\r\n") == [
        b"X-Shape: 1,2",
        b"Content-Type: application/json",
        b"Content-Length: 8",
        b"x-ms-client-request-id: ID",
    ]


def test_a_json_file_is_one_body(tmp_path: Path) -> None:
    """As it stands, but for white space around it; the digest is the file's."""
    path = tmp_path / "body.json"
    path.write_bytes(b'\n {"input_data": [[1,\n 2]]} \n')
    assert sent(path) == [(b'{"input_data": [[1,\n 2]]}', JSON)]
    assert load_bodies(str(path), framing=Framing())[1] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.ndjson", "FEED.JSONL"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\n\n", b" \n   \n"])
def test_a_jsonl_file_is_one_body_a_line(name: str, newline: bytes, tmp_path: Path) -> None:
    """Each line once; blank ones are none."""
    path = tmp_path / name
    path.write_bytes(newline.join(LINES))
    assert sent(path) == [(line, JSON) for line in LINES]
    assert load_bodies(str(path), framing=Framing())[1] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("cat.png", b"\x89PNG\r\n\x1a\n\0\xff ", "image/png"),
        ("cat.jpg", b"\xff\xd8\xff", "image/jpeg"),
        ("rows.csv", b"a,b\n1,2\n", "text/csv"),
        ("tensor.bin", b"\0\1\2", "application/octet-stream"),
        ("no_suffix", b"\0\1\2", "application/octet-stream"),
        ("no_suffix", b' {"a": 1}', JSON),
    ],
)
def test_any_file_is_sent_as_it_is(name: str, content: bytes, content_type: str, tmp_path: Path) -> None:
    """With the content type of its name, and byte for byte unless it is JSON."""
    path = tmp_path / name
    path.write_bytes(content)
    assert sent(path) == [(content.strip() if content_type == JSON else content, content_type)]
    assert sent(path, content_type="application/x-mine") == [(content, "application/x-mine")]


def test_a_folder_is_a_feeder(tmp_path: Path) -> None:
    """Each file is a body with its own content type; what is hidden, or a folder, is left out."""
    for name, content in (("b.png", b"\x89"), ("a.json", b"{}"), (".DS_Store", b"?")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "sub").mkdir()
    assert sent(tmp_path) == [(b"{}", JSON), (b"\x89", "image/png")]
    _, before = load_bodies(str(tmp_path), framing=Framing())
    (tmp_path / "a.json").rename(tmp_path / "c.json")
    assert load_bodies(str(tmp_path), framing=Framing())[1] != before


def test_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    """From JSON, and from the first line of JSONL; Windows' editors write it, and no JSON reader takes it."""
    for name in ("bom.json", "bom.jsonl"):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
        assert sent(tmp_path / name) == [(b'{"a": 1}', JSON)]


def test_nan_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is sent, for Python's servers take it, and said, for others do not."""
    (tmp_path / "nan.jsonl").write_text('{"a": 1}\n[NaN, Infinity]\n')
    assert len(sent(tmp_path / "nan.jsonl")) == 2
    assert "nan.jsonl, line 2 holds NaN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.json", b"", ["not JSON"]),
        ("blank.jsonl", b"\n \n", ["empty", "at least one line"]),
        ("broken.json", b'{"a": ', ["not JSON", ".jsonl"]),
        ("two.json", b"{}\n{}", ["not JSON", ".jsonl"]),
        ("third.jsonl", b"{}\n\n{}\n{oops}\n", ["line 4", "not JSON"]),
        ("binary.json", b"\x80\x81", ["not JSON", "UTF-8"]),
        ("latin.json", '{"a": "ä"}'.encode("latin-1"), ["not JSON", "UTF-8"]),
        ("deep.json", b"[" * 200_000, ["nested too deeply"]),
        ("wide.json", '{"a": 1}'.encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("wide.jsonl", '{"a": 1}'.encode("utf-16-be"), ["UTF-16", "save it as UTF-8"]),
        ("wider.json", '{"a": 1}'.encode("utf-32-be"), ["UTF-16 or UTF-32"]),
        ("no_suffix", b'{"a": ', ["not JSON"]),
    ],
)
def test_a_file_that_cannot_be_sent(name: str, content: bytes, words: list[str], tmp_path: Path) -> None:
    """One line that names the file, the line in it, and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        sent(path)
    for word in (str(path), *words):
        assert word in caught.value.describe()
    assert "\n" not in caught.value.describe()


@pytest.mark.parametrize("path", ["/nowhere/body.json", "a\0b", "/etc/passwd/x", "/dev/null", "/dev/zero"])
def test_a_file_that_cannot_be_read(path: str) -> None:
    """Missing, a device, or not even a name."""
    with pytest.raises(UsageError, match="--payload"):
        sent(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that cannot be read at its beginning")
@pytest.mark.parametrize("name", ["one.json", "many.jsonl", "folder"])
def test_a_disk_that_does_not_give_a_file(name: str, tmp_path: Path) -> None:
    """It is a regular file and can be opened; reading it is an error of input and output."""
    place = tmp_path / name
    if name == "folder":
        place.mkdir()
        (place / "a.json").symlink_to("/proc/self/mem")
    else:
        place.symlink_to("/proc/self/mem")
    with pytest.raises(UsageError, match=r"one.json|many.jsonl|a.json") as caught:
        sent(place)
    assert "Input/output error" in caught.value.describe()


def test_what_would_be_waited_for_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody writes to this FIFO; it may lie in a folder, too. A folder without files, or with a feeder, is none."""
    os.mkfifo(tmp_path / "fifo.json")
    for path in (tmp_path / "fifo.json", tmp_path):
        with pytest.raises(UsageError, match="not a regular file"):
            sent(path)
    (tmp_path / "fifo.json").unlink()
    with pytest.raises(UsageError, match="holds no file"):
        sent(tmp_path)
    (tmp_path / "many.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"many\.jsonl, which is many bodies"):
        sent(tmp_path)


def test_a_large_feeder_stays_on_disk(tmp_path: Path) -> None:
    """Of a file that is larger than what is kept, memory holds the places of its lines alone."""
    path = tmp_path / "large.jsonl"
    line = b'{"x": "' + b"y" * 1_000_000 + b'"}\n'
    with path.open("wb") as file:
        for _ in range(bodies.KEPT_BYTES // len(line) + 20):
            file.write(line)
        file.write(b'{"last": true}')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    framed, digest = load_bodies(str(path), framing=Framing())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < path.stat().st_size
    assert _parts(framed[-1]) == (b'{"last": true}', JSON)
    assert _parts(framed[0])[0] == line.strip()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_feeder_that_is_cut_short_meanwhile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run ends and says why; half a body is never sent, and the process is not killed as by a mapped file."""
    monkeypatch.setattr(bodies, "KEPT_BYTES", 0)
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\n".join(LINES))
    framed, _ = load_bodies(str(path), framing=Framing())
    assert _parts(framed[49])[0] == LINES[49]
    path.write_bytes(LINES[0])
    with pytest.raises(RunInvalid, match="was cut short"):
        framed[49]


@given(content=st.binary(max_size=200), name=st.sampled_from(("f.json", "f.jsonl")))
@settings(max_examples=150)
def test_any_file_gives_bodies_or_a_usage_error(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And bodies are JSON without line breaks around them."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        framed = sent(path)
    except UsageError:
        return
    assert framed
    for body, _ in framed:
        assert body == body.strip()
        json.loads(body)

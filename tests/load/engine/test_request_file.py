"""Request files and traces: what a line may say, and what is wrong with it before the first request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from bench.errors import RunInvalid, UsageError
from bench.load.engine import bodies, request_source, trace
from bench.load.engine.request_file import RequestFile, load_requests, schema
from bench.plan.request_plan import RequestPlan
from bench.plan.run_plan import TRACE, RunPlan

SCHEMA = Path(__file__).parents[3] / "docs/schemas/requests.json"


def write(folder: Path, *lines: dict[str, Any] | str) -> str:
    path = folder / "requests.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return str(path)


def load(folder: Path, *lines: dict[str, Any] | str, **plan: Any) -> RequestFile:
    return load_requests(RequestPlan(requests=write(folder, *lines), **plan))


def source(folder: Path, *lines: dict[str, Any], **plan: Any) -> tuple[RunPlan, request_source.RequestSource]:
    asked = RunPlan(target="", variants=(), warm_up_s=0.0, request=RequestPlan(requests=write(folder, *lines)), **plan)
    found = request_source.load(asked)
    return request_source.complete(asked, found), found


def test_the_published_schema_is_the_code_s() -> None:
    """It is what `request_file.schema` gives, as JSON; it takes what the reader takes."""
    published = json.loads(SCHEMA.read_text())
    assert published == json.loads(msgspec.json.encode(schema()))
    jsonschema.validate({"body": {"a": [1]}, "class": "large", "weight": 3, "at_s": 0.5}, published)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"bodies": 1}, published)


def test_everything_a_line_may_say(tmp_path: Path) -> None:
    """The body's bytes are the file's own, numbers with all their digits included."""
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    found = load(
        tmp_path,
        '{"body": {"x": 1.10000000000000000001 }, "class": "small", "weight": 3}',
        {"body_file": "cat.png", "path": "/v2/models/m/infer", "headers": {"X-Kind": "cat"}, "class": "large"},
        {"body": "a,b\n1,2", "content_type": "text/csv", "method": "put"},
        {"body": "text"},
        {"method": "GET"},
    )
    small, cat, csv, text, get = found.requests
    assert small.tail == b'\r\n\r\n{"x": 1.10000000000000000001 }'
    assert (small.request_class, small.route) == ("small", None)
    assert cat.tail == b"\r\n\r\n\x89PNG"
    assert cat.head.startswith(b"X-Kind: cat\r\nContent-Type: image/png\r\nContent-Length: 4\r\n")
    assert (cat.request_class, cat.route) == ("large", ("", "/v2/models/m/infer"))
    assert csv.tail == b"\r\n\r\na,b\n1,2"
    assert csv.route == ("PUT", "")
    assert text.tail == b'\r\n\r\n"text"'
    assert get.tail == b"\r\n\r\n"
    assert b"Content-Type" not in get.head
    assert found.weights == (3, 1, 1, 1, 1)
    assert found.classes == ("small", "large", "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", []),
        ("[]", ["object"]),
        ({"bdy": 1}, ["unknown field `bdy`"]),
        ({"class": 3, "body": 1}, ["class"]),
        ({"class": "a b", "body": 1}, ["class"]),
        ({"weight": 0, "body": 1}, ["weight"]),
        ({"weight": 1}, ["neither body nor body_file"]),
        ({"body": 1, "body_file": "x"}, ["exclude each other"]),
        ({"body_file": "missing.png"}, ["missing.png", "No such file"]),
        ({"body_file": "fifo"}, ["not a regular file"]),
        ({"body_file": "bad.json"}, ["bad.json", "not JSON"]),
        ({"body": 1, "content_type": "image"}, ["content type"]),
        ({"body": [1], "content_type": "text/csv"}, ["must be a text"]),
        ({"body": 1, "method": "HEAD"}, ["HEAD"]),
        ({"body": 1, "path": "v2"}, ["not a path"]),
        ({"body": 1, "path": "/a b"}, ["not a path"]),
        ({"body": 1, "headers": {"X-A": "1\r\nEvil: 2"}}, ["X-A", "line breaks"]),
        ({"body": 1, "headers": {"X A": "1"}}, ["not a header's name"]),
        ({"body": 1, "headers": {"Content-Length": "1"}}, ["cannot be set"]),
        ({"body": 1, "headers": {"api-key": "hunter2"}}, ["--header-env"]),
        ({"body": 1, "at_s": 2}, ["every line or on none"]),
        ({"body": 1, "at_s": -1}, ["at_s"]),
    ],
)
def test_a_line_that_cannot_be_sent(line: dict[str, Any] | str, words: list[str], tmp_path: Path) -> None:
    """It is named by its number, and no value that may be a secret is shown."""
    (tmp_path / "bad.json").write_text("{")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError) as caught:
        load(tmp_path, {"body": 1}, "", line)
    for word in ("requests.jsonl, line 3", *words):
        assert word in caught.value.describe()
    assert "hunter2" not in caught.value.describe()
    assert "Evil" not in caught.value.describe()


def test_a_file_without_a_line_or_with_too_many_classes(tmp_path: Path) -> None:
    """A class is a kind of request, not a request's number."""
    with pytest.raises(UsageError, match="is empty"):
        load(tmp_path, "")
    with pytest.raises(UsageError, match="line 201: more than 200 classes"):
        load(tmp_path, *({"body": 1, "class": f"c{number}"} for number in range(300)))


def test_a_large_request_file_stays_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And gives the same requests."""
    lines = [{"body": {"n": number}, "class": f"c{number % 3}"} for number in range(30)]
    kept = list(load(tmp_path, *lines).requests)
    monkeypatch.setattr(bodies, "KEPT_BYTES", 0)
    assert list(load(tmp_path, *lines).requests) == kept


def test_a_trace_has_its_own_times(tmp_path: Path) -> None:
    """Requests go out in the order of `at_s`, `speed` times as fast, and the plan says how long that takes."""
    plan, found = source(
        tmp_path, {"body": 1, "at_s": 4.0}, {"body": 2, "at_s": 0.5}, {"body": 3, "at_s": 4.0}, speed=2
    )
    assert found.dues_ns == [250_000_000, 2_000_000_000, 2_000_000_000]
    assert [found.feeder.at(number).tail[-1:] for number in range(3)] == [b"2", b"1", b"3"]
    assert plan.arrivals == TRACE
    assert [(stage.duration_s, stage.start_rate) for stage in plan.stages] == [(1, 1), (1, 0), (1, 2)]
    assert plan.duration_s == 3
    assert plan.request.requests_sha256 == found.sha256
    assert RunPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_times_from_a_csv_file(tmp_path: Path) -> None:
    """The first column; a heading is skipped. Requests come from elsewhere."""
    path = tmp_path / "times.csv"
    path.write_bytes(b"\xef\xbb\xbfseconds,what\n0.5,a\n\n0.25;b\n")
    assert trace.read_times_s(str(path)) == (0.5, 0.25)
    plan = RunPlan(target="", variants=(), warm_up_s=0.0, arrivals_from=str(path))
    assert request_source.load(plan).dues_ns == [250_000_000, 500_000_000]


@pytest.mark.parametrize(
    ("content", "words"),
    [("a\nb\n", "line 2: 'b' is not a time"), ("\n", "holds no time"), ("1\n-1\n", "line 2"), ("1\nnan\n", "line 2")],
)
def test_times_that_are_none(content: str, words: str, tmp_path: Path) -> None:
    """The line is named."""
    (tmp_path / "times.csv").write_text(content)
    with pytest.raises(UsageError, match=words):
        trace.read_times_s(str(tmp_path / "times.csv"))


def test_what_does_not_go_with_a_trace(tmp_path: Path) -> None:
    """Another rate, other times, a warm-up as long as the trace; and a speed without one."""
    line = {"body": 1, "at_s": 1.0}
    (tmp_path / "times.csv").write_text("1\n")
    with pytest.raises(UsageError, match="its own arrivals"):
        source(tmp_path, line, arrival_rate=3.0)
    with pytest.raises(UsageError, match="the request file has at_s"):
        source(tmp_path, line, arrivals_from=str(tmp_path / "times.csv"))
    with pytest.raises(UsageError, match="--speed"):
        source(tmp_path, {"body": 1}, speed=2.0)
    plan = RunPlan(target="", variants=(), warm_up_s=5.0, request=RequestPlan(requests=write(tmp_path, line)))
    with pytest.raises(UsageError, match="not shorter than the trace"):
        request_source.complete(plan, request_source.load(plan))


def test_a_sender_whose_file_is_another(tmp_path: Path) -> None:
    """On another host, or changed since: its figures would stand under the wrong name."""
    plan, _ = source(tmp_path, {"body": 1})
    assert request_source.load_again(plan).feeder.at(0).tail == b"\r\n\r\n1"
    write(tmp_path, {"body": 2})
    with pytest.raises(RunInvalid, match="is not the file that the run began with"):
        request_source.load_again(plan)

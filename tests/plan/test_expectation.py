"""What an answer must be beyond a 2xx."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.plan.expectation import Expectation, expectation_of, unpacked

BODY = b'{"predictions": [1, 2], "model": {"name": "m", "a key": 3}, "error": null, "loss": NaN}'


def found(body: bytes = BODY, *, status: int = 200, encoding: str = "", **expected: Any) -> str:
    texts = {"expect": (), "expect_json": (), "expect_body": ()} | {name: (text,) for name, text in expected.items()}
    made = expectation_of(**texts)
    assert isinstance(made, Expectation)
    return made.failure(status=status, size=len(body), body=body, encoding=encoding)


@pytest.mark.parametrize(
    "expected",
    [
        {"expect": "status==200"},
        {"expect": "bytes >= 10"},
        {"expect_json": "$.predictions"},
        {"expect_json": "$.predictions[1] == 2"},
        {"expect_json": '$.model["a key"] == 3'},
        {"expect_json": '$.model.name != "other"'},
        {"expect_json": "!$.error"},
        {"expect_json": "! $.nothing"},
        {"expect_json": "$"},
        {"expect_body": r"predictions\W+\[[0-9, ]+\]"},
    ],
)
def test_what_is_as_expected(expected: dict[str, str]) -> None:
    """Python's NaN is read too."""
    assert found(**expected) == ""


@pytest.mark.parametrize(
    ("body", "expected", "says"),
    [
        (BODY, {"expect": "bytes<10"}, f"bytes is {len(BODY)}"),
        (b'{"error": "boom"}', {"expect_json": "$.predictions"}, "expected $.predictions"),
        (b'{"error": "boom"}', {"expect_json": "!$.error"}, "expected !$.error"),
        (BODY, {"expect_json": "$.error"}, "expected $.error"),
        (BODY, {"expect_json": "$.predictions[2]"}, "expected"),
        (BODY, {"expect_json": "$.predictions.name"}, "expected"),
        (BODY, {"expect_json": "$.predictions == [1]"}, "expected"),
        (b"[]", {"expect_json": "$.a != 1"}, "expected"),
        (b"<html>", {"expect_json": "$.a"}, "body is none"),
        (b"", {"expect_json": "$.a"}, "body is none"),
        (b"[" * 100_000, {"expect_json": "$.a"}, "body is none"),
        (b"no", {"expect_body": "^yes"}, "like ^yes"),
    ],
)
def test_what_is_not(body: bytes, expected: dict[str, str], says: str) -> None:
    """It is said which expectation failed; no body, however odd, is an exception."""
    assert says in found(body, **expected)
    assert found(status=204, expect="status==200") == "expected status==200, status is 204"


def test_packed_bodies_are_unpacked_for_it() -> None:
    """gzip, and both things that servers call deflate; what is damaged, or swells, fails."""
    raw = zlib.compressobj(wbits=-15)
    for packed, encoding in (
        (gzip.compress(BODY), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (raw.compress(BODY) + raw.flush(), "Deflate"),
        (gzip.compress(zlib.compress(BODY)), "deflate, gzip"),
    ):
        assert unpacked(packed, encoding) == BODY
        assert found(packed, encoding=encoding, expect_json="$.predictions") == ""
    assert "damaged" in found(gzip.compress(BODY)[:-9], encoding="gzip", expect_json="$")
    assert "content-encoding br" in found(BODY, encoding="br", expect_json="$")
    assert "too large" in found(gzip.compress(bytes(80 << 20), 1), encoding="gzip", expect_body="x")


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("expect", "status=200"),
        ("expect", "status==404"),
        ("expect", "latency<3"),
        ("expect_json", "predictions"),
        ("expect_json", "$.a ="),
        ("expect_json", "$.a == {"),
        ("expect_json", "!$.a == 1"),
        ("expect_body", "("),
    ],
)
def test_an_expectation_that_cannot_be_read(option: str, text: str) -> None:
    """Before the first request, by the option's name."""
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')}"):
        found(**{option: text})


@given(body=st.binary(max_size=60), encoding=st.sampled_from(("", "gzip", "deflate", "x", ",")))
def test_no_answer_is_an_exception(body: bytes, encoding: str) -> None:
    """A server may send anything."""
    for expected in ({"expect_json": "$.a[0]"}, {"expect_body": "a"}, {"expect": "bytes>0"}):
        assert isinstance(found(body, encoding=encoding, **expected), str)

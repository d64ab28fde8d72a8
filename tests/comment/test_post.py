"""One comment on three platforms: updated, not repeated; refused, lost, lied to; and the token goes nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.comment import post
from bench.comment.body import marker
from bench.comment.platforms import Platform, platform
from bench.comment.post import publish
from bench.errors import BenchError, UsageError
from tests.comment.platform_stub import TOKEN, Stub, serving

MARK = marker("run")
PLATFORMS = ("github", "azure", "gitlab")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as made:
        yield made


def variables(url: str) -> dict[str, str]:
    return {
        "GITHUB_API_URL": url,
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_TOKEN": TOKEN,
        "SYSTEM_COLLECTIONURI": f"{url}/org/",
        "SYSTEM_TEAMPROJECT": "My Project",
        "BUILD_REPOSITORY_ID": "0000-1111",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
        "SYSTEM_ACCESSTOKEN": TOKEN,
        "CI_API_V4_URL": f"{url}/api/v4",
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
        "GITLAB_TOKEN": TOKEN,
    }


def of(name: str, stub: Stub) -> Platform:
    return platform(name, variables(stub.url))


def say(name: str, stub: Stub, text: str = "**PASS**") -> str:
    return publish(of(name, stub), f"{text}\n{MARK}\n", marker=MARK, sleep=lambda _: None)


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_second_time_it_is_updated(name: str, stub: Stub) -> None:
    stub.add("what a person said")
    assert (say(name, stub, "first"), say(name, stub, "second")) == ("made", "updated")
    assert [c["text"].split("\n")[0] for c in stub.comments] == ["what a person said", "second"]


@pytest.mark.parametrize("name", PLATFORMS)
def test_it_is_found_behind_hundreds_of_others(name: str, stub: Stub) -> None:
    for number in range(250):
        stub.add(f"comment {number}")
    stub.add(f"old\n{MARK}")
    assert say(name, stub, "new") == "updated"
    assert len(stub.comments) == 251


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(("status", "says"), [(401, "not valid"), (403, "second workflow"), (404, "no such pull")])
def test_a_refusal_is_one_line_and_not_tried_again(name: str, status: int, says: str, stub: Stub) -> None:
    stub.answers = [status]
    with pytest.raises(BenchError) as refused:
        say(name, stub)
    assert says in refused.value.describe()
    assert TOKEN not in refused.value.describe()
    assert len(stub.asked) == 1


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_server_that_is_unwell_is_asked_again(name: str, stub: Stub) -> None:
    stub.answers = [502, 429]
    assert say(name, stub) == "made"
    stub.answers = [500, 503, 502]
    with pytest.raises(BenchError, match="502"):
        say(name, stub)


def test_an_answer_that_was_lost_makes_no_second_comment(stub: Stub) -> None:
    """The comment is made and the server says 500 all the same."""
    write = stub.write

    def lost(method: str, path: str, content: dict[str, object]) -> int:
        write(method, path, content)
        stub.write = write  # type: ignore[method-assign]
        return 500

    stub.write = lost  # type: ignore[method-assign]
    assert say("github", stub) == "updated"
    assert len(stub.comments) == 1


def test_no_server_at_all(stub: Stub) -> None:
    with serving(Stub()) as gone:
        there = of("github", gone)
    with pytest.raises(BenchError, match="github answered 0"):
        publish(there, "x", marker=MARK, sleep=lambda _: None)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[" * 100_000, b'{"value": 7}', b"[1, null, {}]", b'"x"', b"\xff"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_an_answer_that_is_none_is_no_traceback(name: str, raw: bytes, stub: Stub) -> None:
    stub.raw = raw or None
    said = ""
    try:
        assert say(name, stub) == "made"
    except BenchError as exc:
        said = exc.describe()
    assert TOKEN not in said


def test_an_answer_without_end_is_cut(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "_MOST_BYTES", 1000)
    stub.raw = b" " * 5000 + b"[]"
    with pytest.raises(BenchError):
        say("github", stub)


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_token_follows_no_redirect(name: str, stub: Stub) -> None:
    with serving(Stub()) as elsewhere:
        stub.redirect = f"{elsewhere.url}/steal"
        with pytest.raises(BenchError):
            say(name, stub)
        assert elsewhere.asked == []


def test_a_comment_of_somebody_else_with_our_mark_is_left_alone(stub: Stub) -> None:
    """Whoever owns a comment may change it to PASS later."""
    stub.add(f"**PASS**\n{MARK}", author="mallory")
    assert say("github", stub, "**FAIL**") == "made"
    assert stub.comments[0]["text"].startswith("**PASS**")


@pytest.mark.parametrize("name", PLATFORMS)
def test_one_that_may_not_be_changed_is_followed_by_a_new_one(name: str, stub: Stub) -> None:
    stub.add(f"old\n{MARK}")
    stub.refuses_changes = True
    assert say(name, stub) == "made"
    assert len(stub.comments) == 2


@pytest.mark.parametrize(
    ("name", "missing", "says"),
    [
        ("github", "GITHUB_TOKEN", "GITHUB_TOKEN"),
        ("github", "GITHUB_REPOSITORY", "GITHUB_REPOSITORY"),
        ("github", "GITHUB_REF", "--pull-request"),
        ("azure", "SYSTEM_ACCESSTOKEN", "SYSTEM_ACCESSTOKEN"),
        ("azure", "SYSTEM_COLLECTIONURI", "SYSTEM_COLLECTIONURI"),
        ("azure", "SYSTEM_PULLREQUEST_PULLREQUESTID", "--pull-request"),
        ("gitlab", "GITLAB_TOKEN", "GITLAB_TOKEN"),
        ("gitlab", "CI_MERGE_REQUEST_IID", "--pull-request"),
    ],
)
def test_what_is_missing_is_said(name: str, missing: str, says: str) -> None:
    left = {key: value for key, value in variables("https://x.example").items() if key != missing}
    with pytest.raises(UsageError) as refused:
        platform(name, left)
    assert says in refused.value.describe()
    assert TOKEN not in refused.value.describe()


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("url", ["http://github.example", "ftp://x", "file:///etc", "http://127.0.0.1.example"])
def test_a_token_is_sent_to_https_only(name: str, url: str) -> None:
    with pytest.raises(UsageError, match="https only"):
        platform(name, variables(url))


@pytest.mark.parametrize("number", ["", "x", "7/../8", "-1", "9" * 40])
def test_a_number_that_is_none(number: str) -> None:
    gone = {"GITHUB_REF": "refs/heads/main"}
    with pytest.raises(UsageError, match="which pull request"):
        platform("github", variables("https://x.example") | gone, number=number)


def test_a_token_with_a_line_break_makes_no_header_and_is_not_shown() -> None:
    with pytest.raises(UsageError) as refused:
        platform("github", variables("https://x.example") | {"GITHUB_TOKEN": "a\r\nX-Evil: 1"})
    assert "X-Evil" not in refused.value.describe()
    assert TOKEN not in repr(platform("github", variables("https://x.example")))


def test_a_repository_cannot_leave_its_path() -> None:
    made = platform("github", variables("https://x.example") | {"GITHUB_REPOSITORY": "../../evil?x=/name"})
    assert made.comments == "https://x.example/repos/evil%3Fx%3D/name/issues/7/comments"

"""What GitHub, Azure DevOps and GitLab want to be asked to find, make and change a comment. Pure.

Sources: GitHub REST "Issue comments"; Azure DevOps REST 7.1 "Pull Request Threads" and "Thread Comments"; GitLab REST
"Notes". Addresses and the token come from the CI server's own variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from bench.errors import UsageError

PER_PAGE = 100
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_GITHUB_REF = re.compile(r"refs/pull/(\d+)/")
_GITHUB_ACTIONS = "github-actions[bot]"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the platform."""

    method: str
    url: str
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A comment that is there."""

    where: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A pull request of one platform. `repr` leaves the headers out: they hold the token."""

    name: str
    comments: str
    headers: Mapping[str, str]
    author: str = ""

    def __repr__(self) -> str:
        return f"Platform({self.name})"

    @property
    def pages(self) -> bool:
        """Whether a list comes in pages of `PER_PAGE`."""
        return self.name != "azure"

    def listing(self, page: int) -> Ask:
        """A page of the comments, from 1."""
        return Ask("GET", f"{self.comments}?{f'per_page={PER_PAGE}&page={page}' if self.pages else _AZURE_VERSION}")

    def found(self, answer: Any) -> list[Found]:
        """The comments of a listing that could be ours; what has another shape is passed over."""
        if self.name == "azure":
            return [found for thread in _dicts(_get(answer, "value")) for found in self._of_thread(thread)]
        entries = []
        for entry in _dicts(answer):
            by = _get(_get(entry, "user"), "login")
            if isinstance(entry.get("id"), int) and (not self.author or by == self.author):
                entries.append(Found(where=str(entry["id"]), text=str(entry.get("body") or "")))
        return entries

    def creation(self, text: str) -> Ask:
        """A new comment."""
        if self.name != "azure":
            return Ask("POST", self.comments, {"body": text})
        comment = {"parentCommentId": 0, "content": text, "commentType": 1}
        # closed: an active thread would block a merge where comments must be resolved
        return Ask("POST", f"{self.comments}?{_AZURE_VERSION}", {"comments": [comment], "status": 4})

    def change(self, found: Found, text: str) -> Ask:
        """Another text for one that is there."""
        match self.name:
            case "github":
                return Ask("PATCH", f"{self.comments.rsplit('/', 2)[0]}/comments/{found.where}", {"body": text})
            case "gitlab":
                return Ask("PUT", f"{self.comments}/{found.where}", {"body": text})
        return Ask("PATCH", f"{self.comments}/{found.where}?{_AZURE_VERSION}", {"content": text})

    def _of_thread(self, thread: Mapping[str, Any]) -> list[Found]:
        number, comments = thread.get("id"), _dicts(thread.get("comments"))
        if thread.get("isDeleted") or not isinstance(number, int):
            return []
        return [
            Found(where=f"{number}/comments/{comment['id']}", text=str(comment.get("content") or ""))
            for comment in comments[:1]
            if isinstance(comment.get("id"), int) and not comment.get("isDeleted")
        ]


_AZURE_VERSION = "api-version=7.1"


def platform(name: str, environ: Mapping[str, str], *, number: str = "", author: str = "") -> Platform:
    """The pull request that the CI server's variables name. UsageError for one that is missing, or an unsafe address.

    `number` is the pull request's, where the job is not one of it. On GitHub only comments by `author` are ours.
    """
    need = _Needed(environ, name)
    match name:
        case "github":
            number = number or "".join(_GITHUB_REF.findall(environ.get("GITHUB_REF", ""))[:1])
            url = (
                f"{environ.get('GITHUB_API_URL') or 'https://api.github.com'}/repos/{_path(need('GITHUB_REPOSITORY'))}"
            )
            comments = f"{url}/issues/{_number(number)}/comments"
            headers = {
                "Authorization": f"Bearer {need.secret('GITHUB_TOKEN')}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
            author = author or _GITHUB_ACTIONS
        case "azure":
            project = f"{need('SYSTEM_COLLECTIONURI').rstrip('/')}/{_path(need('SYSTEM_TEAMPROJECT'))}"
            repository = f"{project}/_apis/git/repositories/{_path(need('BUILD_REPOSITORY_ID'))}"
            number = number or environ.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
            comments = f"{repository}/pullRequests/{_number(number)}/threads"
            headers = {"Authorization": f"Bearer {need.secret('SYSTEM_ACCESSTOKEN')}"}
        case _:
            number = number or environ.get("CI_MERGE_REQUEST_IID", "")
            project = f"{need('CI_API_V4_URL')}/projects/{quote(need('CI_PROJECT_ID'), safe='')}"
            comments = f"{project}/merge_requests/{_number(number)}/notes"
            headers = {"PRIVATE-TOKEN": need.secret("GITLAB_TOKEN")}
    _refuse_unsafe(comments)
    return Platform(name=name, comments=comments, headers=headers, author=author)


@dataclass(frozen=True, slots=True)
class _Needed:
    environ: Mapping[str, str]
    platform: str

    def __call__(self, name: str) -> str:
        if not (value := self.environ.get(name, "").strip()):
            raise UsageError(
                f"--{self.platform} needs {name} in the environment", hint="or write a file with --to FILE"
            )
        return value

    def secret(self, name: str) -> str:
        """A token that is one header's value. It is never part of an error."""
        value = self(name)
        if not all("!" <= letter <= "~" for letter in value):
            raise UsageError(f"{name} cannot be a token: it holds what no header may", hint="set it again")
        return value


def _path(text: str) -> str:
    """`owner/name` with everything else escaped; no way up."""
    return "/".join(quote(part, safe="") for part in text.split("/") if part not in {"", ".", ".."})


def _number(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UsageError("which pull request is not known", hint="give --pull-request N, or run in a job of one")
    return text


def _refuse_unsafe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UsageError(f"a token is sent to https only, not to {parts.scheme}://{parts.hostname}")


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None

"""The comments of one pull request, as GitHub, Azure DevOps and GitLab serve them, over HTTP; it can misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cret-token-of-the-job"


@dataclass
class Stub:
    """`answers` are statuses given before it behaves; `redirect` is where it sends everybody; `raw` is said as is."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    refuses_changes: bool = False
    redirect: str = ""
    raw: bytes | None = None
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def add(self, text: str, *, author: str = "github-actions[bot]") -> None:
        self.comments.append({"id": len(self.comments) + 1, "text": text, "author": author})

    def listing(self, path: str, query: dict[str, list[str]]) -> Any:
        if "/threads" in path:
            return {"value": [{"id": c["id"], "comments": [{"id": 1, "content": c["text"]}]} for c in self.comments]}
        page, size = (int(query[name][0]) for name in ("page", "per_page"))
        shown = self.comments[(page - 1) * size : page * size]
        return [{"id": c["id"], "body": c["text"], "user": {"login": c["author"]}} for c in shown]

    def write(self, method: str, path: str, content: dict[str, Any]) -> int:
        text = content.get("body") or content.get("content") or content.get("comments", [{}])[0].get("content")
        if method == "POST":
            self.add(str(text))
            return 201
        number = int(path.split("/threads/")[-1].split("/")[0] if "/threads/" in path else path.rsplit("/", 1)[-1])
        if self.refuses_changes:
            return 403
        self.comments[number - 1]["text"] = text
        return 200


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            content = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            stub.asked.append((self.command, parts.path, dict(self.headers)))
            status, said = 200, stub.raw
            if stub.redirect:
                status = 302
            elif stub.answers:
                status, said = stub.answers.pop(0), TOKEN.encode()
            elif said is None and self.command == "GET":
                said = json.dumps(stub.listing(parts.path, parse_qs(parts.query))).encode()
            elif said is None:
                status = stub.write(self.command, parts.path, content)
            self.send_response(status)
            if stub.redirect:
                self.send_header("Location", stub.redirect)
            self.send_header("Content-Length", str(len(said or b"{}")))
            self.end_headers()
            self.wfile.write(said or b"{}")

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 - names of the standard library

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()

"""As much of MLflow's tracking server as a history asks for, over HTTP; it can misbehave. The real one: test_mlflow."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "s3cret-of-the-tracking-server"


@dataclass
class Stub:
    """`instead` answers (status, body) in place of what would follow; `after` does when all is done; None goes on."""

    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: str = "mlflow-artifacts:/"
    instead: Callable[[str], tuple[int, bytes] | None] = lambda _: None
    after: Callable[[str], tuple[int, bytes] | None] = lambda _: None
    redirect: str = ""
    drips: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, *, status: str = "FINISHED", experiment: str = "1", start_time: int = 0, **tags: str
    ) -> dict[str, Any]:
        """A run, ours or not."""
        run = {
            "info": {
                "run_id": f"run-{len(self.runs)}",
                "experiment_id": experiment,
                "status": status,
                "start_time": start_time,
                "artifact_uri": f"{self.artifacts}{experiment}/run-{len(self.runs)}/artifacts",
            },
            "data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        self.runs.append(run)
        return run

    def does(self, what: str, content: dict[str, Any]) -> tuple[int, Any]:
        match what:
            case "experiments/get-by-name":
                found = self.experiments.get(content["experiment_name"])
                return (200, {"experiment": found}) if found else (404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
            case "experiments/create":
                if content["name"] in self.experiments:
                    return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
                number = str(len(self.experiments) + 1)
                self.experiments[content["name"]] = {"experiment_id": number, "lifecycle_stage": "active"}
                return 200, {"experiment_id": number}
            case "runs/create":
                tags = {tag["key"]: tag["value"] for tag in content["tags"]}
                made = self.add(
                    status="RUNNING", experiment=content["experiment_id"], start_time=content["start_time"], **tags
                )
                return 200, {"run": made}
            case "runs/log-batch":
                self._run(content["run_id"]).setdefault("logged", []).append(content)
                return 200, {}
            case "runs/update":
                self._run(content["run_id"])["info"]["status"] = content["status"]
                return 200, {}
            case _:
                return 200, self._page(content)

    def _run(self, run_id: str) -> dict[str, Any]:
        return next(run for run in self.runs if run["info"]["run_id"] == run_id)

    def _page(self, content: dict[str, Any]) -> dict[str, Any]:
        begin, size = int(content.get("page_token") or 0), content["max_results"]
        wanted = content.get("filter", "").partition("'")[2].rstrip("'")
        newest = sorted(self.runs, key=lambda run: -run["info"]["start_time"])
        fits = [
            run
            for run in newest
            if run["info"]["experiment_id"] in content["experiment_ids"]
            and (not wanted or {"key": "bench_run_id", "value": wanted} in run["data"]["tags"])
        ]
        more = {"next_page_token": str(begin + size)} if len(fits) > begin + size else {}
        return {"runs": fits[begin : begin + size], **more}


@contextmanager
def serving(stub: Stub, *, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            what = parts.path.partition("/api/2.0/mlflow/")[2]
            if "/mlflow-artifacts/" in parts.path:
                what = "artifacts"
            stub.asked.append((what, parts.path, dict(self.headers)))
            with stub.lock:
                reply = (302, b"") if stub.redirect else stub.instead(what)
                if reply is None:
                    reply = self._done(what, parts.path, parts.query, raw)
            self._say(*reply)

        def _done(self, what: str, path: str, query: str, raw: bytes) -> tuple[int, bytes]:
            if what == "artifacts":
                stub.files[path.partition("/artifacts/")[2]] = raw
                status, said = 200, {}
            else:
                asked = {key: values[0] for key, values in parse_qs(query).items()}
                status, said = stub.does(what, json.loads(raw) if raw else asked)
            return stub.after(what) or (status, json.dumps(said).encode())

        def _say(self, status: int, said: bytes) -> None:
            self.send_response(status)
            if stub.redirect:
                self.send_header("Location", stub.redirect)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            while stub.drips and said:
                self.wfile.write(said[:1])
                time.sleep(0.05)
                said = said[1:]
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - names of the standard library

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Of a client that left."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stub.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()

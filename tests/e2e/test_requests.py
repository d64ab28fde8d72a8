"""Requests as people have them, sent by real runs to a server that keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.e2e.command import UNDRAWN, Done, bench
from tests.security.searching import found_below

SECRET = "hunter2hunter2"


class Keeper:
    """A server that answers 200 with `answer` and keeps every request: (method, path, headers, body)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = b'{"predictions": [1]}'
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                keeper.seen.append((self.command, self.path, headers, body))
                self.send_response(200)
                self.send_header("Content-Length", str(len(keeper.answer)))
                self.end_headers()
                self.wfile.write(keeper.answer)

            do_PUT = do_GET = do_POST  # noqa: N815 - the names that http.server looks for

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}/score"


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


def _has_run(done: Done) -> bool:
    """Its report is there; a machine that is busy enough makes any run INVALID."""
    return done.code == 0 or (done.code == 4 and "INVALID" in done.out and "report: " in done.out)


def test_a_mix_of_requests(keeper: Keeper, tmp_path: Path) -> None:
    """Every line as often as its weight says, with its headers, route and content type; figures for each class; what
    `--header-env` named reaches the server, and nothing else."""
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\0")
    (tmp_path / "mix.jsonl").write_text(
        '{"body": {"x": 1}, "class": "small", "weight": 3}\n'
        '{"body_file": "cat.png", "class": "picture", "path": "/v2/models/m/infer", "headers": {"X-Kind": "cat"}}\n'
    )
    done = bench(
        *("run", "--scoring-uri", keeper.uri, "--requests", "mix.jsonl", "--arrival-rate", "40", "--duration", "2s"),
        *("--warm-up", "0", "--header", "X-Team: bench, 1", "--header-env", "x-api-key=MY_KEY", "--path", "/infer"),
        cwd=tmp_path,
        BENCH_KEY="k",
        **UNDRAWN,
        MY_KEY=SECRET,
    )
    assert _has_run(done), done
    assert Counter(path for _, path, _, _ in keeper.seen) == {"/infer": 60, "/v2/models/m/infer": 20}
    for method, path, headers, body in keeper.seen:
        assert (method, headers["x-team"], headers["x-api-key"]) == ("POST", "bench, 1", SECRET)
        if path == "/infer":
            assert (headers["content-type"], body) == ("application/json", b'{"x": 1}')
        else:
            assert (headers["content-type"], headers["x-kind"], body) == ("image/png", "cat", b"\x89PNG\r\n\0")
    classes = done.summary_at(tmp_path)["variants"]["key"]["classes"]
    assert {name: block["requests"] for name, block in classes.items()} == {"small": 60, "picture": 20}
    assert classes["picture"]["outcomes"] == {"ok": 20}
    assert classes["picture"]["response_time_ms"]["p50"] > 0
    assert SECRET not in done.out + done.err
    assert found_below(tmp_path, [SECRET]) == {}


@pytest.mark.slow
def test_a_trace_is_replayed(keeper: Keeper, tmp_path: Path) -> None:
    """Twice as fast as recorded, by two workers, each request when it was due, and the run ends with it."""
    lines = [{"body": {"n": number}, "at_s": number**2 / 40} for number in range(13)]
    (tmp_path / "trace.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = bench(
        *("run", "--scoring-uri", keeper.uri, "--requests", "trace.jsonl", "--speed", "2", "--warm-up", "0"),
        *("--processes", "2", "--gate", "achieved_rate >= 99%"),
        cwd=tmp_path,
        BENCH_KEY="k",
        **UNDRAWN,
    )
    assert _has_run(done), done
    assert sorted(json.loads(body)["n"] for _, _, _, body in keeper.seen) == list(range(13))
    plan = json.loads((tmp_path / done.run / "manifest.json").read_text())["plan"]
    assert (plan["arrivals"], plan["duration_s"], plan["speed"]) == ("trace", 2.0, 2.0)
    assert done.summary_at(tmp_path)["trust"]["dropped_arrivals"] == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--header-env", "x-api-key=NOT_SET"], 3, "NOT_SET is not set"),
        (["--header", "api-key: hunter2"], 2, "--header-env"),
        (["--requests", "bad.jsonl"], 2, "bad.jsonl, line 2"),
        (["--payload", "/dev/zero"], 2, "is not a"),
    ],
)
def test_what_is_refused_before_the_first_request(
    words: list[str], code: int, says: str, keeper: Keeper, tmp_path: Path
) -> None:
    """In one line."""
    (tmp_path / "bad.jsonl").write_text('{"body": 1}\n{"bdy": 1}\n')
    done = bench("run", "--scoring-uri", keeper.uri, *words, cwd=tmp_path, BENCH_KEY="k", **UNDRAWN)
    assert (done.code, done.out) == (code, ""), done
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert says in lines[0]
    assert keeper.seen == []


def test_two_deployments_behind_two_origins(tmp_path: Path) -> None:
    """Each side has its own deployment header, key and secret header, and the other's never; named by what differs."""
    blue, green = Keeper(), Keeper()
    for each in (blue, green):
        threading.Thread(target=each.server.serve_forever, daemon=True).start()
    try:
        done = bench(
            *("compare", "--scoring-uri", f"{blue.uri},{green.uri}", "--deployment", "blue,green", "--duration", "2s"),
            *("--warm-up", "0", "--arrival-rate", "40", "--header-env", "x-api-key=MINE", "--gate", "error_rate == 0%"),
            cwd=tmp_path,
            BENCH_KEY_1="blue-key-blue-key",
            BENCH_KEY_2="green-key-green-key",
            MINE_1="blue-header-secret",
            MINE_2="green-header-secret",
        )
    finally:
        for each in (blue, green):
            each.server.shutdown()
            each.server.server_close()
    assert _has_run(done), done
    for name, server in (("blue", blue), ("green", green)):
        assert len(server.seen) == 40
        for _, _, headers, _ in server.seen:
            assert headers["azureml-model-deployment"] == name
            assert headers["authorization"] == f"Bearer {name}-key-{name}-key"
            assert headers["x-api-key"] == f"{name}-header-secret"
    summary = done.summary_at(tmp_path)
    assert list(summary["variants"]) == ["blue", "green"]
    assert (summary["comparison"]["baseline"], summary["comparison"]["candidate"]) == ("blue", "green")
    secrets = [f"{name}-{kind}" for name in ("blue", "green") for kind in ("key-", "header-secret")]
    assert found_below(tmp_path, secrets) == {}
    assert not any(secret in done.out + done.err for secret in secrets)


@pytest.mark.parametrize(
    ("command", "words", "says"),
    [
        ("run", ["--emulator", "--deployment", "blue,green"], "use bench compare"),
        ("compare", ["--emulator", "--auth-mode", "key"], "two variants or more"),
        ("compare", ["--emulator", "--auth-mode", "key,key", "--deployment", "a,b,c"], "lists pair entry by entry"),
        (
            "compare",
            ["--scoring-uri", "http://127.0.0.1:1/,http://127.0.0.1:2/"],
            "set BENCH_KEY_1 for http://127.0.0.1:1",
        ),
        (
            "compare",
            ["--emulator", "--deployment", "blue,green", "--gate", "error_rate{variant=red} < 1%"],
            "blue, green",
        ),
    ],
)
def test_sides_that_do_not_pair(command: str, words: list[str], says: str, tmp_path: Path) -> None:
    """Exit 2, one line, nothing sent."""
    done = bench(command, *words, cwd=tmp_path, BENCH_KEY="k", **UNDRAWN)
    assert (done.code, done.out) == (2, ""), done
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1


TASKS = """
from locust import TaskSet, tag, task

from bench.load.user import ScoringUser


class Shop(ScoringUser):
    def on_start(self):
        self.seen = 0

    @task(3)
    def small(self):
        self.score({"input_data": [[1, 2]]}, name="small")

    @tag("pictures")
    @task(1)
    def picture(self):
        with self.score(b"PNG", content_type="image/png", name="picture", path="/v2", catch_response=True) as answer:
            self.seen += 1
            if answer.ok and "predictions" in answer.json():
                answer.fail("no outputs")
        self.score([self.seen], name="after")


class Broken(ScoringUser):
    abstract = True

    @task
    class Inner(TaskSet):
        pass
"""


def test_an_author_s_own_tasks(keeper: Keeper, tmp_path: Path) -> None:
    """An arrival runs one task by weight; every request has its figures by name; what a task fails reaches the summary;
    tags pick tasks as in Locust; a TaskSet is refused at the start."""
    (tmp_path / "shop.py").write_text(TASKS)
    options = ("--scoring-uri", keeper.uri, "--arrival-rate", "40", "--duration", "2s", "--warm-up", "0")
    done = bench("run", *options, "--locustfile", "shop.py", cwd=tmp_path, BENCH_KEY="k", **UNDRAWN)
    assert _has_run(done), done
    summary = done.summary_at(tmp_path)
    classes = summary["variants"]["key"]["classes"]
    assert classes["small"]["requests"] + classes["picture"]["requests"] == 80
    assert classes["picture"]["requests"] == classes["after"]["requests"] > 0
    assert classes["picture"]["outcomes"] == {"ok": 0, "unexpected": classes["picture"]["requests"]}
    assert classes["small"]["outcomes"] == {"ok": classes["small"]["requests"]}
    assert summary["trust"]["dropped_arrivals"] == 0
    keeper.seen.clear()
    tagged = bench(
        "run", *options, "--locustfile", "shop.py", "--", "--tags", "pictures", cwd=tmp_path, BENCH_KEY="k", **UNDRAWN
    )
    assert _has_run(tagged), tagged
    assert len(keeper.seen) == 160
    (tmp_path / "broken.py").write_text(TASKS.replace("abstract = True", "").replace("class Shop", "class Shop_"))
    refused = bench(
        "run", *options, "--locustfile", "broken.py", "--", "Broken", cwd=tmp_path, BENCH_KEY="k", **UNDRAWN
    )
    assert refused.code == 2, refused
    assert "Broken has the TaskSet Inner" in refused.err


CLASSES = """
from locust import task

from bench.load.user import ScoringUser


class Member(ScoringUser):
    weight = 3
    auth_modes = ("key", "aml_token")

    def on_start(self):
        assert self.score({"user": 1}, name="login").ok

    @task
    def read(self):
        self.score([1], name="read")

    def on_stop(self):
        try:
            self.score([1], name="logout")
        except RuntimeError:
            print("nothing is sent in on_stop")


class Guest(ScoringUser):
    auth_modes = ("key", "aml_token")

    @task
    def look(self):
        self.score([1], name="look")
"""


def test_several_classes_of_users_and_what_they_send_first(tmp_path: Path) -> None:
    """Weights say how many users each class has; each variant has users of both; a login is kept and in no figure."""
    (tmp_path / "shop.py").write_text(CLASSES)
    words = ("--arrival-rate", "60", "--users", "16", "--duration", "3s", "--warm-up", "0")
    done = bench("run", "--emulator", *words, "--locustfile", "shop.py", cwd=tmp_path, **UNDRAWN)
    assert _has_run(done), done
    for variant in done.summary_at(tmp_path)["variants"].values():
        assert set(variant["classes"]) == {"read", "look"}
        assert variant["requests"] == 90
        assert variant["error_rate"] == 0
    (folder,) = tmp_path.glob("results/*/samples")
    with pa.OSFile(str(next(folder.glob("*.arrows")))) as source, pa.ipc.open_stream(source) as stream:
        rows = [row for batch in stream for row in batch.to_pylist()]
    logins = [row for row in rows if row["request_class"] == "login"]
    assert Counter(row["variant"] for row in logins) == {"key": 6, "aml_token": 6}
    assert {row["phase"] for row in logins} == {"warm_up"}
    assert {row["request_class"] for row in rows} == {"login", "read", "look"}
    assert "nothing is sent in on_stop" in done.out + done.err

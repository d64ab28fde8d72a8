"""Runs that are started over the web UI's port: as Locust was started, with a login, under a path, by a master."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plan.run_plan import DEFAULT_USERS
from tests.e2e.command import LOCUSTFILES, REPOSITORY
from tests.emulator.process import until
from tests.live.web_ui import FORM, WebUi, is_left_alone, listener, web_ui

GUIDE = REPOSITORY / "docs" / "guides" / "web-ui.md"


def _read(waiting: socket.socket) -> bytes:
    """What the first one sends who sends anything: some connect to see whether they could."""
    waiting.settimeout(300)
    for _ in range(100):
        connection, _address = waiting.accept()
        with connection:
            connection.settimeout(300)
            if got := connection.recv(65536):
                return got
    raise AssertionError("many have come, and said nothing")


def _uri(waiting: socket.socket) -> str:
    return f"http://127.0.0.1:{waiting.getsockname()[1]}/score"


@pytest.fixture(scope="module")
def target() -> Iterator[socket.socket]:
    with listener() as waiting:
        yield waiting


@pytest.fixture(scope="module")
def ui(target: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    """Started with a rate, a duration and a target that reads and never answers."""
    words = ("--scoring-uri", _uri(target), "--arrival-rate", "20", "--duration", "60s", "--warm-up", "0s")
    with web_ui(
        tmp_path_factory.mktemp("started"), *words, "--timeout", "1s", "--stop-timeout", "1", BENCH_KEY="k-1"
    ) as running:
        yield running


def _plan(ui: WebUi, number: int) -> dict[str, Any]:
    """The plan of the run with that number."""
    folder = ui.log.parent / "results"
    until(lambda: len(list(folder.glob("*/manifest.json"))) > number)
    plan: dict[str, Any] = json.loads(sorted(folder.glob("*/manifest.json"))[number].read_text())["plan"]
    return plan


def _stop(ui: WebUi) -> None:
    assert ui.send("POST", "/stop").status == 200
    until(lambda: ui.state() == "stopped", within_s=300)


def test_each_run_is_as_started_but_for_what_it_asks(ui: WebUi, target: socket.socket) -> None:
    """F7: the rate that one run asked for is not the next one's, and the page remembers what was set."""
    assert ui.swarm(arrival_rate="abc").said["message"].startswith("--arrival-rate: 'abc' is not a number")
    assert ui.state() == "ready"
    assert ui.swarm(user_count="2", spawn_rate="10", arrival_rate="40").said["success"]
    assert b"Authorization: Bearer k-1" in _read(target)
    page = ui.send("GET", "/").body
    fields = json.loads(re.search(r"templateArgs = (.*)", page)[1])["extra_options"]  # type: ignore[index]
    assert list(fields)[:3] == ["arrival_rate", "arrivals", "stages"]
    assert fields["arrival_rate"]["default_value"] == "40"
    assert "scoring_uri" not in fields
    refused = ui.swarm(user_count="3", spawn_rate="10", arrival_rate="50", duration="9s")
    assert "duration cannot be changed while a run goes on" in refused.said["message"]
    assert ui.swarm(user_count="3", spawn_rate="10", arrival_rate="50").said["success"]
    _stop(ui)
    assert ui.swarm().said["success"]
    _plan(ui, 1)
    _stop(ui)
    assert [_plan(ui, number)["arrival_rate"] for number in (0, 1)] == [40.0, 20.0]
    assert [_plan(ui, number)["users"] for number in (0, 1)] == [2, DEFAULT_USERS]


def test_only_this_machine_reaches_it(ui: WebUi) -> None:
    """Locust's own default is every interface."""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", ui.port)) != 0
    assert "warning: the web UI" not in ui.log.read_text()


def test_a_refusal_is_one_short_line(ui: WebUi) -> None:
    """Whatever was sent: it is shown on a page and kept in a log."""
    answer = ui.swarm(stages="5s@1\n\x1b[31m" + "x" * 9000)
    message = answer.said["message"]
    assert message.isprintable()
    assert 20 < len(message) < 500


def test_with_a_login_under_a_path_by_a_master(tmp_path: Path) -> None:
    """The guide's example: who is not logged in starts nothing and changes nothing; who is obeys the same rules."""
    example = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert example is not None
    locustfile = tmp_path / "with_login.py"
    locustfile.write_text(example[1])
    with listener() as waiting:
        words = ["--scoring-uri", _uri(waiting), "--arrival-rate", "20", "--duration", "60s", "--warm-up", "0s"]
        words += [
            "--timeout",
            "1s",
            "--stop-timeout",
            "1",
            "--processes",
            "1",
            "--web-login",
            "--web-base-path",
            "/load",
        ]
        words += ["--web-host", "*", "--web-allow-host", "bench.example", "--master-bind-host", "127.0.0.1"]
        words += ["--master-bind-port", str(_free_port())]
        words += ["--master-port", words[-1]]
        with web_ui(tmp_path, *words, locustfile=locustfile, BENCH_KEY="k-2", WEB_UI_PASSWORD="open") as ui:
            stranger = ui.swarm(base="/load", user_count="1", spawn_rate="9")
            assert stranger.status == 302
            assert "/load/login" in stranger.headers["location"]
            assert ui.send("GET", "/load/login", headers={"Host": "evil.example"}).status == 403
            assert ui.send("GET", "/load/login", headers={"Host": "bench.example"}).status == 200
            signed = {"Host": "bench.example", "Origin": "http://bench.example", "Content-Type": FORM}
            foreign = {**signed, "Origin": "http://evil.example"}
            assert ui.send("POST", "/load/sign-in", body="password=open", headers=foreign).status == 403
            wrong = ui.send("POST", "/load/sign-in", body="password=shut", headers=signed)
            assert wrong.headers["location"] == "/load/login"
            right = ui.send("POST", "/load/sign-in", body="password=open", headers=signed)
            assert right.headers["location"] == "/load/"
            cookie = {"Cookie": right.headers["set-cookie"].split(";")[0]}

            def workers() -> bool:
                said = json.loads(ui.send("GET", "/load/worker-count", headers=cookie).body)
                return bool(said["worker_count"] == 1)

            until(workers, within_s=300)
            assert is_left_alone(waiting)
            refused = ui.swarm({**signed, **cookie}, base="/load", scoring_uri="http://127.0.0.1:9/", user_count="1")
            assert "scoring_uri" in refused.said["message"]
            assert ui.swarm({**foreign, **cookie}, base="/load", user_count="1").status == 403
            assert ui.swarm({**signed, **cookie}, base="/load", user_count="1", spawn_rate="9").said["success"]
            assert b"Authorization: Bearer k-2" in _read(waiting)
            assert "warning: the web UI" not in ui.log.read_text()


def test_allowed_from_the_browser(tmp_path: Path) -> None:
    """Then a target can be chosen there; but a secret that was started for one origin stays with it."""
    with listener() as chosen, listener() as waiting:
        start = ("--allow-from-browser", "--web-host", "*", "--timeout", "1s", "--stop-timeout", "1")
        with web_ui(tmp_path, *start, BENCH_KEY="k-3") as ui:
            assert "no target given" in ui.swarm(user_count="1").said["message"]
            assert ui.swarm(user_count="1", scoring_uri=_uri(chosen)).said["success"]
            assert b"Authorization: Bearer k-3" in _read(chosen)
            assert "warning: the web UI listens on every interface" in ui.log.read_text()
        bound = tmp_path / "bound"
        bound.mkdir()
        with web_ui(bound, *start, "--scoring-uri", _uri(chosen), BENCH_KEY="k-4", BENCH_TOKEN="t-4") as ui:
            for change in ({"scoring_uri": _uri(waiting)}, {"auth_mode": "aml_token"}):
                answer = ui.swarm(user_count="1", **change)
                assert "would send a secret elsewhere" in answer.said["message"]
            assert ui.state() == "ready"
            assert is_left_alone(waiting)


def test_users_of_another_kind_are_guarded_too(tmp_path: Path) -> None:
    """`http_user.py` puts the lease on requests to Locust's Host, which is therefore no field of the form."""
    with web_ui(tmp_path, "--endpoint", "e", locustfile=LOCUSTFILES / "http_user.py") as ui:
        for name in ("host", "endpoint", "workspace"):
            assert name in ui.swarm(user_count="1", spawn_rate="1", **{name: "http://evil.example"}).said["message"]
        assert ui.send("GET", "/", headers={"Host": "evil.example"}).status == 403
        assert ui.send("POST", "/user", body='{"user_class_name": "ScoreWithRequests"}').status == 403
        assert ui.state() == "ready"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

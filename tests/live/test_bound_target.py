"""What a browser may set of a run, tried from outside against a real Locust with a web UI."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.plan.options import OUTPUT_OPTIONS, RUN_OPTIONS, TARGET_OPTIONS, WEB_UI_OPTIONS
from tests.e2e.command import LOCUSTFILES, REPOSITORY, last_line, start_and_wait
from tests.live.web_ui import FORM, LOAD, WebUi, is_left_alone, listener, web_ui

CANARY = "canary-7b2e90aa41"
FOREIGN = {"Origin": "http://evil.example"}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    """The case's own command: a key, and a target where nobody listens."""
    cwd = tmp_path_factory.mktemp("bound")
    with web_ui(cwd, "--scoring-uri", "http://127.0.0.1:9/score", BENCH_KEY=CANARY) as running:
        yield running


def test_the_secret_and_a_file_go_nowhere_else(ui: WebUi, tmp_path: Path) -> None:
    """Case F1: another target and a file of this machine, named by whoever reaches the port."""
    secret_file = tmp_path / "file.json"
    secret_file.write_text('{"private": 1}')
    with listener() as waiting:
        elsewhere = f"http://127.0.0.1:{waiting.getsockname()[1]}/x"
        answer = ui.swarm(**LOAD, scoring_uri=elsewhere, payload=str(secret_file))
        assert (answer.status, answer.said["success"]) == (200, False)
        assert "scoring_uri" in answer.said["message"]
        assert ui.state() == "ready"
        assert is_left_alone(waiting)


def test_no_file_is_overwritten(ui: WebUi, tmp_path: Path) -> None:
    """Case F2: an emulator whose options name a file to write."""
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    answer = ui.swarm(**LOAD, emulator="true", emulator_options=f"--truth {precious}")
    assert answer.said["success"] is False
    assert "emulator" in answer.said["message"]
    assert ui.state() == "ready"
    assert precious.read_text() == "as it was"


_MAY = {option.dest for option in RUN_OPTIONS if option.from_browser}
_MAY_NOT = {option.dest for option in TARGET_OPTIONS + OUTPUT_OPTIONS + WEB_UI_OPTIONS} - _MAY | {
    "payload",
    "processes",
}
_LOCUSTS = {"host", "html_file", "csv_prefix", "locustfile", "headless", "logfile", "stop_timeout", "tags", "web_login"}
_STRANGE = {"run_time", "user_classes", "shape_class", "profile", "num_users", "__class__", "x" * 5000, "a\nb", "<b>"}


@pytest.mark.parametrize("name", sorted(_MAY_NOT | _LOCUSTS | _STRANGE), ids=lambda name: repr(name[:20]))
def test_each_other_field_is_refused_by_name(ui: WebUi, name: str) -> None:
    """Targets, files and folders of ours, Locust's own options, and words that mean nothing."""
    answer = ui.swarm(**LOAD, **{name: "1h"})
    assert answer.said["success"] is False
    assert (name if name.isidentifier() and len(name) < 40 else repr(name[:40])) in answer.said["message"]
    assert "\n" not in answer.said["message"]
    assert ui.state() == "ready"


ATTACKS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "a form on another site": ("POST", "/swarm", FOREIGN, "load"),
    "a sandboxed frame": ("POST", "/swarm", {"Origin": "null"}, "load"),
    "another server of this machine": ("POST", "/swarm", {"Origin": "http://localhost:3000"}, "load"),
    "our port on another name": ("POST", "/swarm", {"Origin": "http://evil.example:{port}"}, "load"),
    "an origin that begins like ours": ("POST", "/swarm", {"Origin": "http://localhost:{port}.evil.example"}, "load"),
    "an origin with a login": ("POST", "/swarm", {"Origin": "http://localhost:{port}@evil.example"}, "load"),
    "an empty origin": ("POST", "/swarm", {"Origin": ""}, "load"),
    "no origin, but the browser knows": ("POST", "/swarm", {"Sec-Fetch-Site": "cross-site"}, "load"),
    "a subdomain": ("POST", "/swarm", {"Sec-Fetch-Site": "same-site"}, "load"),
    "a navigating form": ("POST", "/swarm", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "load"),
    "stop, from another site": ("POST", "/stop", FOREIGN, ""),
    "a link to stop": ("GET", "/stop", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, ""),
    "an image of stop": ("GET", "/stop", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, ""),
    "reset, from another site": ("POST", "/stats/reset", FOREIGN, ""),
    "a user's attributes": ("POST", "/user", {}, '{"user_class_name": "KeyUser", "host": "http://evil.example"}'),
    "a user's attributes, from another site": ("POST", "/user", FOREIGN, "{}"),
    "a name resolved to us": ("GET", "/", {"Host": "evil.example:{port}"}, ""),
    "a name resolved to us, reading": ("GET", "/stats/requests", {"Host": "evil.example:{port}"}, ""),
    "a name resolved to us, its assets": ("GET", "/assets/terminal.gif", {"Host": "evil.example"}, ""),
    "a name resolved to us, nothing there": ("GET", "/nothing", {"Host": "evil.example"}, ""),
    "a name resolved to us, its own origin": (
        "POST",
        "/swarm",
        {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}", "Sec-Fetch-Site": "same-origin"},
        "load",
    ),
    "a name that begins like ours": ("GET", "/", {"Host": "localhost.evil.example"}, ""),
    "a name that ends like ours": ("GET", "/", {"Host": "evil-localhost"}, ""),
    "a name that holds our address": ("GET", "/", {"Host": "127.0.0.1.nip.io"}, ""),
    "two names": ("GET", "/", {"Host": "localhost,evil.example"}, ""),
    "a name with a login": ("GET", "/", {"Host": "localhost:80@evil.example"}, ""),
    "an address that is not ours": ("GET", "/", {"Host": "192.0.2.1"}, ""),
    "no name": ("GET", "/", {"Host": ""}, ""),
    "a name passed on": ("GET", "/", {"Host": "evil.example", "X-Forwarded-Host": "localhost"}, ""),
    "a script that reads": ("GET", "/logs", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, ""),
    "a frame": (
        "GET",
        "/",
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        "",
    ),
    "a field twice": ("POST", "/swarm", {}, "user_count=2&spawn_rate=5&seed=1&seed=2"),
    "a field twice, the second a target": ("POST", "/swarm", {}, "user_count=2&spawn_rate=5&x=&x=http://evil.example"),
    "JSON": ("POST", "/swarm", {"Content-Type": "application/json"}, '{"user_count": 2, "spawn_rate": 5}'),
    "plain text": ("POST", "/swarm", {"Content-Type": "text/plain"}, "user_count=2&spawn_rate=5"),
    "an upload": (
        "POST",
        "/swarm",
        {"Content-Type": "multipart/form-data; boundary=b"},
        '--b\r\nContent-Disposition: form-data; name="payload"; filename="x"\r\n\r\n{}\r\n--b--\r\n',
    ),
    "another method": ("PUT", "/swarm", {}, "load"),
    "a fault, from another site": ("POST", "/bench/fault", FOREIGN, "name=rotate+the+key"),
    "a fault, without an emulator": ("POST", "/bench/fault", {}, "name=rotate+the+key"),
    "a fault by its inner name": ("POST", "/bench/fault", {}, "do=rotate_key&name=rotate_key"),
    "the state, under a name resolved to us": ("GET", "/bench/state", {"Host": "evil.example:{port}"}, ""),
    "the form, for a script elsewhere": ("GET", "/bench/form", {"Sec-Fetch-Site": "cross-site"}, ""),
    "the page, in a frame": (
        "GET",
        "/bench",
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        "",
    ),
    "a report outside the folder": ("GET", "/bench/runs/..%2f..%2f..%2fetc/report.html", {}, ""),
    "a summary outside the folder": ("GET", "/bench/runs/%2e%2e/figures", {}, ""),
    "an asset outside the folder": ("GET", "/assets/..%2f..%2fmain.py", {}, ""),
    "a static file outside the folder": ("GET", "/static/..%2f..%2f..%2fetc%2fpasswd", {}, ""),
    "a header in a field's value": ("POST", "/swarm", {}, "user_count=2&seed=1%0d%0aSet-Cookie:+x=1"),
    "a header in a field's name": ("POST", "/swarm", {}, "user_count=2&a%0d%0aSet-Cookie:+x=1"),
    "a script in a field's value": ("POST", "/swarm", {}, "user_count=2&arrival_rate=<script>alert(1)</script>"),
    "the parser's own name": ("POST", "/swarm", {}, "user_count=2&__dict__=x"),
    "another's interface": ("POST", "/swarm", {}, "user_count=2&web_host=0.0.0.0"),
    "no guard from now on": ("POST", "/swarm", {}, "user_count=2&allow_from_browser=true"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attacker_gets_nothing(ui: WebUi, name: str) -> None:
    """Every one is refused in one line, starts nothing, and may be read by no other site's page."""
    method, path, headers, body = ATTACKS[name]
    if body == "load":
        body = "&".join(f"{field}={value}" for field, value in LOAD.items())
    sent = {"Content-Type": FORM} | {key: value.format(port=ui.port) for key, value in headers.items()}
    answer = ui.send(method, path, body=body or None, headers=sent)
    assert answer.is_refused, answer
    if answer.status == 403:
        assert len(answer.body.splitlines()) == 1
    assert not {"set-cookie", "x"} & answer.headers.keys()
    assert "<script" not in answer.body or answer.headers["content-type"] == "application/json"
    assert not [header for header in answer.headers if header.startswith("access-control-")]
    assert ui.state() == "ready"


ROUTES = (
    *("/", "/stats/requests", "/stats/requests/csv", "/stats/requests_full_history/csv", "/stats/failures/csv"),
    *("/bench", "/bench/state", "/bench/form", "/bench/page.js", "/bench/charts.js", "/bench/fault"),
    *("/bench/runs/20260101-000000-000-aaaa/report.html", "/bench/runs/20260101-000000-000-aaaa/figures"),
    *("/exceptions", "/exceptions/csv", "/tasks", "/logs", "/login", "/worker-count", "/stats/report", "/nothing"),
)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1:{port}", "[::1]:{port}"])
def test_our_names_are_let_in(ui: WebUi, host: str) -> None:
    """Whatever the case, the port (a tunnel has its own) and a dot at the end."""
    assert ui.send("GET", "/worker-count", headers={"Host": host.format(port=ui.port)}).status == 200


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_shows_the_secret_or_lets_a_stranger_read(ui: WebUi, route: str) -> None:
    """Each of Locust's, also when it fails, and when it is asked in the name of another site."""
    for method, headers in (("GET", {}), ("GET", FOREIGN), ("OPTIONS", FOREIGN)):
        answer = ui.send(method, route, headers=headers)
        assert CANARY not in answer.body + str(answer.headers)
        assert not [header for header in answer.headers if header.startswith("access-control-")]
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_the_table_has_all_of_locust_s_routes(ui: WebUi) -> None:
    """A Locust with a new one fails here, and not in front of an attacker."""
    program = (
        "from locust.env import Environment\n"
        "app = Environment().create_web_ui('127.0.0.1', 0, delayed_start=True).app\n"
        "print(*sorted(rule.rule for rule in app.url_map.iter_rules() if 'GET' in rule.methods))"
    )
    known = start_and_wait([sys.executable, "-c", program], cwd=Path("/")).out.split()
    assert set(known) - set(ROUTES) == {"/assets/<path:path>", "/static/<path:filename>"}


def test_the_table_has_all_of_our_routes() -> None:
    """And of ours: the canary is looked for in each."""
    program = (
        "from types import SimpleNamespace\n"
        "import bench.load.user\n"  # Locust comes before Flask, as it does in a run
        "from flask import Blueprint, Flask\n"
        "from bench.live import board, page\n"
        "app = Flask('none')\n"
        "app.register_blueprint(Blueprint('locust', 'locust'))\n"
        "ui = SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view)\n"
        "page.add(ui, SimpleNamespace(board=board.Board()))\n"
        "print(*(rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith('bench.')))"
    )
    rules = start_and_wait([sys.executable, "-c", program], cwd=REPOSITORY).out.split()
    shown = {rule.replace("<run_id>", "20260101-000000-000-aaaa").rstrip("/") for rule in rules}
    assert shown == {route for route in ROUTES if route.startswith("/bench")}


def test_a_link_from_elsewhere_opens_the_page(ui: WebUi) -> None:
    """Somebody posts the address in a chat."""
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = ui.send("GET", "/", headers=link)
    assert answer.status == 200
    assert "templateArgs" in answer.body


def test_without_a_target_nothing_is_started(tmp_path: Path) -> None:
    """A web UI whose every run would fail is no web UI."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "key.py"), "--web-port", "0"]
    done = start_and_wait(command, cwd=tmp_path)
    assert done.code == 2
    line = last_line(done.err)
    assert line.startswith("error: no target given")
    assert all(flag in line for flag in ("--emulator", "--endpoint", "--scoring-uri"))
    assert "Traceback" not in done.err

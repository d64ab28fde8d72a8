"""The live page of a real Locust: what a stranger may not have of it, then what a watcher sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import numbers
from bench.live.page import FAULTS
from bench.runreader import load_run
from tests.e2e.command import LOCUSTFILES
from tests.emulator.process import until
from tests.live.web_ui import FORM, WebUi, web_ui

REFUSED_EDITS = (
    *({"user_count": "20", "arrival_rate": rate} for rate in ("0", "-1", "nan", "1e12", "fast")),
    *({"user_count": users, "arrival_rate": "80"} for users in ("0", "1", "1e9", "many")),
    {"user_count": "20", "arrival_rate": "80", "spawn_rate": "0"},
    {"user_count": "20", "stages": "9s@80"},
    {"user_count": "20", "arrival_rate": "80", "duration": "9s"},
    {"user_count": "20", "arrival_rate": "80", "scoring_uri": "http://127.0.0.1:9/"},
)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebUi, Path, dict[str, Any]]]:
    """A Locust whose one run was watched, given a fault by hand, and has ended; the state as it was while it ran."""
    cwd = tmp_path_factory.mktemp("live")
    words = ("--emulator", "--arrival-rate", "50", "--duration", "6s", "--warm-up", "0s")
    with web_ui(cwd, *words, locustfile=LOCUSTFILES / "key_vs_token.py") as ui:
        assert ui.swarm().said["success"] is True
        until(lambda: len(state(ui)["points"]) > 1, within_s=300)
        running = state(ui)
        running["refused"] = [ui.swarm(**edit) for edit in REFUSED_EDITS]
        running["strangers"] = [
            ui.swarm(headers, user_count="20", arrival_rate="80")
            for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"})
        ]
        running["edited"] = ui.swarm(user_count="22", arrival_rate="80").said
        assert ui.send("POST", "/bench/fault", body="name=rotate+the+key", headers={"Content-Type": FORM}).status == 200
        until(lambda: bool(state(ui)["runs"]), within_s=300)
        yield ui, cwd, running


def state(ui: WebUi, since: str = "-1") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ui.send("GET", f"/bench/state?since={since}").body)
    return answer


@pytest.mark.parametrize(
    "path",
    [
        *(f"/bench/runs/../../../etc/passwd/{name}" for name in ("report.html", "figures")),
        *(f"/bench/runs/..%2f..%2fx/{name}" for name in ("report.html", "figures")),
        *(f"/bench/runs/x/{name}" for name in ("report.html", "figures")),
        *(f"/bench/runs/20260101-000000-000-aaaa{end}/figures" for end in ("", "%00", "%0a")),
        *("/bench/../page.html", "/bench/page.html", "/bench/page.js/../../page.py"),
        "/bench/runs/20260101-000000-000-aaaa/report.html",
    ],
)
def test_no_other_file_can_be_had(ended: tuple[WebUi, Path, dict[str, Any]], path: str) -> None:
    assert ended[0].send("GET", path).status == 404


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://evil.example"}, "name=rotate+the+key", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "name=rotate+the+key", 403),
        ({"Host": "evil.example"}, "name=rotate+the+key", 403),
        ({}, "name=shutdown", 404),
        ({}, "", 404),
    ],
)
def test_a_fault_is_given_by_the_page_alone(
    ended: tuple[WebUi, Path, dict[str, Any]], headers: dict[str, str], body: str, status: int
) -> None:
    """Nor any that it does not list."""
    answer = ended[0].send("POST", "/bench/fault", body=body, headers={"Content-Type": FORM, **headers})
    assert answer.status == status


def test_a_fault_cannot_be_had_by_a_link(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    assert ended[0].send("GET", "/bench/fault?name=rotate+the+key").status == 405


@pytest.mark.parametrize("since", ["nan", "x", "1e999", "-1"])
def test_any_since_is_answered(ended: tuple[WebUi, Path, dict[str, Any]], since: str) -> None:
    assert state(ended[0], since)["state"] == "ended"


def test_while_it_runs_each_variant_has_its_own_figures(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    running = ended[2]
    assert running["state"] == "running"
    assert [one["name"] for one in running["plan"]["variants"]] == ["key", "aml_token"]
    assert {row["variant"] for row in running["leases"]} == {"key", "aml_token"}
    assert all(one["whole"]["response_time_ms"]["p50"] > 0 for one in running["variants"].values())
    assert running["faults"] == list(FAULTS)
    assert {row[0] for row in running["rows"]["variants"]} == set(running["variants"])
    for name, _, _, p50, *_ in running["rows"]["variants"]:
        assert p50 == numbers.milliseconds(running["variants"][name]["recent"]["response_time_ms"]["p50"])


def test_another_load_while_it_runs_is_a_stage_of_it(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    """F4: asked by the page alone, recorded, sent, shown, a stage of its own in the report, and no reason for doubt."""
    ui, cwd, running = ended
    assert [answer.status for answer in running["strangers"]] == [403, 403]
    for answer, edit in zip(running["refused"], REFUSED_EDITS, strict=True):
        assert answer.said["success"] is False, edit
        assert "\n" not in answer.said["message"]
    assert running["edited"]["success"] is True
    end = state(ui)
    assert (end["plan"]["arrival_rate"], end["plan"]["users"]) == (80, 22)
    assert [event["text"] for event in end["events"] if event["mark"] == "change"] == ["by hand: 80/s, 22 users"]
    run = load_run(cwd / "results" / end["run_id"])
    (change,) = run.plan.changes
    assert (change.arrival_rate, change.users) == (80, 22)
    due_ns = run.samples.intended_ns[run.samples.attempt == 0]
    from_ns = change.from_ns
    assert (due_ns < from_ns).sum() == pytest.approx(50 * from_ns / 1e9, abs=1)
    assert (due_ns >= from_ns).sum() == pytest.approx(80 * (6 - from_ns / 1e9), abs=1)
    summary = json.loads((run.path / "summary.json").read_text())
    assert [stage["name"] for stage in summary["stages"]] == ["50/s, 20 users", "80/s, 22 users"]
    assert summary["trust"]["asked_rate"] == pytest.approx(len(due_ns) / 6, rel=0.01)
    assert "changed by hand to 80/s and 22 users from" in (run.path / "report.html").read_text()


def test_when_it_has_ended_all_of_it_is_kept(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    """The Auth tab too; the verdict and the report are one click away, and the fault by hand is in the log."""
    ui, cwd, _ = ended
    end = state(ui)
    assert end["ending"] == "completed"
    assert end["leases"]
    assert any("rotate the key" in event["text"] for event in end["events"])
    assert end["verdict"]["run_id"] == end["run_id"] == end["runs"][0]
    page = ui.send("GET", f"/bench/runs/{end['run_id']}/report.html")
    assert page.body == next(cwd.glob("results/*/report.html")).read_text()
    stats = json.loads(ui.send("GET", "/stats/requests").body)["extended_stats"][0]["data"]
    assert {row["variant"] for row in stats} == {"key", "aml_token"}
    assert all(row["response_p50"] for row in stats)


def test_locusts_own_page_leads_to_it(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    assert 'href="/bench"' in ended[0].send("GET", "/").body
    page = ended[0].send("GET", "/bench").body
    assert "<title>Live page</title>" in page
    assert re.findall(r'src="([^"]*)"', page) == ["/bench/charts.js", "/bench/page.js"]


def test_the_pages_run_no_script_but_their_own(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    """Whatever a name, a payload or an error's body holds; a report has no script and no rights on the web UI."""
    ui, run_id = ended[0], state(ended[0])["run_id"]
    page = ui.send("GET", "/bench")
    assert page.headers["cache-control"] == ui.send("GET", "/bench/form").headers["cache-control"] == "no-store"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"<script>|\son[a-z]+=|javascript:", page.body)
    for name in ("charts.js", "page.js"):
        script = ui.send("GET", f"/bench/{name}")
        assert script.headers["content-type"].startswith("text/javascript")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.body)
    report = ui.send("GET", f"/bench/runs/{run_id}/report.html")
    assert report.headers["content-security-policy"].startswith("sandbox allow-popups; default-src 'none'")


def test_stored_runs_can_be_drawn(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    ui, run_id = ended[0], state(ended[0])["run_id"]
    figures = json.loads(ui.send("GET", f"/bench/runs/{run_id}/figures").body)
    assert figures["variants"].keys() == {"key", "aml_token"}
    assert all(one["p99"] > 0 for one in figures["variants"].values())


def test_the_form_is_grouped_and_holds_what_a_browser_may_set(ended: tuple[WebUi, Path, dict[str, Any]]) -> None:
    """One duration, units, no target."""
    groups = json.loads(ended[0].send("GET", "/bench/form").body)
    assert [group["title"] for group in groups] == ["Load", "Time", "Made prompts", "Comparison"]
    fields = {field["name"]: field for group in groups for field in group["fields"]}
    assert fields.keys() >= {"user_count", "arrival_rate", "duration"}
    assert not fields.keys() & {"run_time", "host", "scoring_uri", "payload", "emulator_options", "out"}
    assert (fields["arrival_rate"]["value"], fields["duration"]["value"]) == ("80", "6s")
    assert all(field["help"] for field in fields.values())

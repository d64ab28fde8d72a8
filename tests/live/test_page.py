"""The live page of a real Locust: what a stranger may not have of it, then what a watcher sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import numbers
from bench.live.page import FAULTS
from tests.e2e.command import LOCUSTFILES
from tests.emulator.process import until
from tests.live.web_ui import FORM, WebUi, web_ui


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebUi, Path, dict[str, Any]]]:
    """A Locust whose one run was watched, given a fault by hand, and has ended; the state as it was while it ran."""
    cwd = tmp_path_factory.mktemp("live")
    words = ("--emulator", "--arrival-rate", "50", "--duration", "6s", "--warm-up", "0s")
    with web_ui(cwd, *words, locustfile=LOCUSTFILES / "key_vs_token.py") as ui:
        assert ui.swarm().said["success"] is True
        until(lambda: len(state(ui)["points"]) > 1, within_s=60)
        running = state(ui)
        assert ui.send("POST", "/bench/fault", body="name=rotate+the+key", headers={"Content-Type": FORM}).status == 200
        until(lambda: bool(state(ui)["runs"]), within_s=120)
        yield ui, cwd, running


def state(ui: WebUi, since: str = "-1") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ui.send("GET", f"/bench/state?since={since}").body)
    return answer


@pytest.mark.parametrize(
    "path",
    ["/bench/runs/../../../etc/passwd/report.html", "/bench/runs/..%2f..%2fx/report.html", "/bench/runs/x/report.html",
     "/bench/runs/20260101-000000-000-aaaa/report.html"],
)  # fmt: skip
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
    assert "http://www.w3.org" in page.replace("https", "")
    assert "src=" not in page

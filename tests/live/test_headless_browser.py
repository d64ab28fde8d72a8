"""The live page of a headless run in a real browser: what is there, and nothing that cannot be done from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from bench.live import headless
from bench.live.view import View
from bench.plan.run_plan import RunPlan, Variant
from tests.e2e.test_web_ui import _FLAGS, CHROMIUM
from tests.live.test_headless import Running
from tests.live.test_prometheus_protobuf import seen

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium")
HOSTILE = "<img src=x onerror=alert(1)>"


class Streaming(Running):
    """A run of a hostile name that streams, with a scripted fault that has begun."""

    def __init__(self, results: Path) -> None:
        super().__init__(results)
        self.now: View = seen([10.0, 20.0, 400.0], variant=HOSTILE, tokens=30)
        plan = RunPlan(target="emulator", variants=(Variant(name=HOSTILE, auth_mode="key"),), arrival_rate=3)
        self.board.begin("20260101-000000-000-beef", plan)
        self.board.expect([{"do": "stall", "answer": "", "from_s": 2.0, "to_s": None}])
        for second in range(1, 6):
            self.board.tick(float(second), self.now, asked_rate=3.0)

    def view(self) -> View:
        return self.now


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Streaming, str]]:
    master = Streaming(tmp_path)
    monkeypatch.setattr(headless.supervise, "start_later", lambda _s, stop, **_: stop())  # no hub here
    server = make_server("127.0.0.1", 0, headless.application(master), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield master, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_can_be_looked_at_and_stopped(served: tuple[Streaming, str]) -> None:
    """Its heading promises no start; first tokens and each further one have charts of their own, a fault its mark;
    nothing of it goes wrong, runs a stranger's script or is wider than a phone."""
    master, address = served
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS.split())
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto(f"{address}/bench")
        expect(page.locator("#title")).to_contain_text("Running", timeout=120_000)
        charts = page.locator("figcaption")
        expect(charts.filter(has_text="Time to first token")).to_have_count(1)
        expect(charts.filter(has_text="Time per output token")).to_have_count(1)
        expect(page.locator("line.mark title").first).to_have_text("2 s  fault: stall")
        expect(page.locator("#streams")).to_contain_text(HOSTILE)
        expect(page.get_by_text("Start, change or stop a run")).to_have_count(0)
        page.get_by_text("Stop the run").click()
        expect(page.get_by_role("button", name="Start")).to_have_count(0)
        expect(page.get_by_text("The target is the one")).not_to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("link", name="Start, stop, statistics")).not_to_be_visible()
        browser.close()
    assert master.stops == 1
    assert errors == []

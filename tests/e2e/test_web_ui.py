"""Locust's web UI with the harness's options and Auth tab, in a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import LOCUSTFILES, clean_environment
from tests.emulator.process import until

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def address(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A Locust with a web UI that compares key with token, not started; a test's parameter are more options."""
    port, between = _free_port(), str(_free_port())
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(LOCUSTFILES / "key_vs_token.py"),
            "--emulator",
            "--web-host",
            "127.0.0.1",
            "--web-port",
            str(port),
            "--duration",
            "60s",
            "--warm-up",
            "0s",
            *("--master-bind-host", "127.0.0.1", "--master-bind-port", between, "--master-port", between),
            *getattr(request, "param", ()),
        ],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Starting web interface" in line:
            break
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    process.wait(timeout=300)


@pytest.mark.slow
def test_a_run_from_the_form(address: str, tmp_path: Path) -> None:
    """The form offers the load's options and says what is wrong with them; a run shows both variants, and their leases
    on a tab; afterwards the form remembers what was started."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS.split())
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.get_by_label("Number of users").fill("8")
        page.get_by_role("button", name="Custom parameters").click()
        rate = page.locator("input[name=arrivalRate]")
        rate.fill("abc")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("--arrival-rate: 'abc' is not a number", timeout=120_000)
        rate.fill("100")
        assert page.locator("input[name=emulator], input[name=scoringUri], input[name=payload]").count() == 0
        page.get_by_role("button", name="Start").click()

        table = page.get_by_role("table").first
        expect(table).to_contain_text("/score [key]", timeout=120_000)
        expect(table).to_contain_text("/score [aml_token]", timeout=120_000)
        page.get_by_role("tab", name="Auth").click()
        row = page.get_by_role("row").filter(has_text="aml_token")
        expect(row).to_contain_text("fresh", timeout=120_000)
        page.screenshot(path=str(tmp_path / "auth.png"))
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="New").first).to_be_visible(timeout=120_000)
        page.reload()
        page.get_by_role("button", name="New").first.click()
        page.get_by_role("button", name="Custom parameters").click()
        expect(rate).to_have_value("100")
        assert not errors
        browser.close()
    until(lambda: any(tmp_path.glob("results/*/summary.json")))
    (summary,) = tmp_path.glob("results/*/summary.json")
    variants = json.loads(summary.read_text())["variants"]
    assert set(variants) == {"key", "aml_token"}
    assert all(block["requests"] > 20 for block in variants.values())


@pytest.mark.slow
@pytest.mark.parametrize("address", [["--processes", "2"]], indirect=True)
def test_a_run_from_the_live_page(address: str, tmp_path: Path) -> None:
    """What is wrong stands beside its field, while a run goes on too; another rate, a key that is rotated by hand and a
    lost worker are seen when they happen; a run that is stopped has its report, and the next one none of its marks;
    nothing is wider than a phone."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=120_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS.split())
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(120_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}/bench")
        rate, start = page.get_by_label("arrival rate"), page.get_by_role("button", name="Start")
        change, title = page.get_by_role("button", name="Change the load"), page.locator("#title")
        wrong, events = page.locator("#field-arrival_rate-wrong"), page.locator("#events")
        expect(page.locator("#charts")).to_be_hidden()
        rate.fill("abc")
        start.click()
        expect(wrong).to_contain_text("'abc' is not a number")
        rate.fill("40")
        page.get_by_label("duration").fill("20m")
        start.click()
        expect(title).to_contain_text("Running")
        expect(page.get_by_label("duration")).to_be_disabled()
        rate.fill("0")
        change.click()
        expect(wrong).to_contain_text("0 is too small")
        rate.fill("60")
        change.click()
        expect(wrong).to_be_empty()
        expect(events).to_contain_text("by hand: 60/s")
        page.get_by_role("button", name="rotate the key").click()
        expect(events).to_contain_text("key: refresh 2 (refused) took")
        expect(page.locator("#leases")).to_contain_text("1 refused")
        expect(page.locator("#variants")).to_contain_text("auth_failure: refused")
        titles = "[...document.querySelectorAll('line.mark title')].map(one => one.textContent)"
        for mark in ("by hand: rotate the key", "by hand: 60/s, 20 users"):
            until(lambda mark=mark: sum(mark in said for said in page.evaluate(titles)) == 4, within_s=300)  # type: ignore[misc]
        os.kill(max(_workers(address)), signal.SIGKILL)
        expect(page.locator("#lights .bad")).to_contain_text(["lost"])
        expect(page.locator("#workers")).to_contain_text("(lost)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(title).to_contain_text("Ended: ")
        page.get_by_role("link", name="open the report").click()
        expect(page.get_by_text("Stages of the load").first).to_be_attached()
        page.go_back()
        page.get_by_text("Start, change or stop a run").click()
        expect(rate).to_have_value("60")
        start.click()
        expect(title).to_contain_text("Running")
        expect(page.locator("#workers tr")).to_have_count(2)
        expect(page.locator("#workers")).not_to_contain_text("lost")
        assert page.evaluate(titles) == []
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(title).to_contain_text("Ended: stopped")
        expect(page.get_by_role("link", name="open the report")).to_be_visible()
        for box in page.locator("#runs input").all():
            box.check()
        page.get_by_role("button", name="Compare the chosen runs").click()
        expect(page.locator("#figures tr")).to_have_count(5)
        assert not [error for error in errors if "report.html" not in error]  # where no script may run
        browser.close()
    first, second = sorted(tmp_path.glob("results/*/manifest.json"))
    first_manifest = json.loads(first.read_text())
    assert [one["arrival_rate"] for one in first_manifest["plan"]["changes"]] == [60]
    assert [one["do"] for one in first_manifest["faults"]] == ["rotate_key"]
    assert json.loads(second.read_text())["faults"] == []


def _workers(address: str) -> list[int]:
    """The processes that the Locust there has forked."""
    port = address.rpartition(":")[2]
    found = subprocess.run(
        ["pgrep", "-f", f"locustfiles.*--web-port {port}"], capture_output=True, text=True, check=True
    )
    return [int(word) for word in found.stdout.split()]

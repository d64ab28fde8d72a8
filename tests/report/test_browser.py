"""report.html in a real browser: quiet, offline, accessible, in every theme and width."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bench.report.palette import COLOURS
from tests.report.conftest import Reported

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason=f"{CHROMIUM} is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, eventful: Reported) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 1280, "height": 900}) as one:
        one.goto(eventful.folder.report.as_uri())
        yield one


def test_the_page_is_quiet_and_asks_nobody(browser: Browser, eventful: Reported) -> None:
    """No error reaches the console and the only request is for the file itself."""
    with browser.new_page() as page:
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(eventful.folder.report.as_uri(), wait_until="networkidle")
        page.emulate_media(color_scheme="dark")
        assert (said, asked) == ([], [eventful.folder.report.as_uri()])


def test_the_first_screen_answers(page: Page) -> None:
    """All four answers are visible without scrolling."""
    for question in (
        "Did it pass?",
        "Can it be trusted?",
        "What does aml_token cost over key?",
        "Did requests fail?",
    ):
        box = page.get_by_role("region", name=question, exact=True).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, question


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    """A wide table or plot scrolls in its own frame; the page does not scroll sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_fits_on_paper(page: Page) -> None:
    """Nothing is cut off on A4: no table is wider than the sheet less its margins."""
    page.set_viewport_size({"width": 688, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 688


def test_plots_and_tables_have_accessible_names(page: Page) -> None:
    """Assistive technology finds every plot and table by what it shows."""
    for name in ("Latency over time", "Percentile curves", "Difference at each quantile", "Where the time goes"):
        assert page.get_by_role("img", name=name).count() == 1, name
    assert page.get_by_role("img").count() == 7
    for name in ("Latency, ms", "Requests", "Gates", "Every fetch; waiters are requests that waited for it"):
        assert page.get_by_role("table", name=name, exact=True).count() == 1, name
    assert page.get_by_role("columnheader", name="response time").count() == 1
    assert page.get_by_role("rowheader", name="p99.9").count() == 1


def test_dark_is_dark_and_paper_is_white(page: Page) -> None:
    """Page and plots follow the theme, and print is always on white."""
    ground = "getComputedStyle(document.body).backgroundColor"
    label = "getComputedStyle(document.querySelector('svg text')).fill"
    page.emulate_media(color_scheme="light")
    assert (page.evaluate(ground), page.evaluate(label)) == ("rgb(255, 255, 255)", _rgb(COLOURS["muted"].light))
    page.emulate_media(color_scheme="dark")
    assert (page.evaluate(ground), page.evaluate(label)) == (_rgb(COLOURS["page"].dark), _rgb(COLOURS["muted"].dark))
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_text_in_plots_lies_within_them(page: Page) -> None:
    """No label is cut off at the edge of its plot, with the fonts of this machine."""
    cut = page.evaluate(
        """[...document.querySelectorAll('svg')].flatMap(svg => {
             const frame = svg.getBoundingClientRect();
             return [...svg.querySelectorAll('text')].filter(text => {
               const box = text.getBoundingClientRect();
               return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
             }).map(text => text.textContent);
           })"""
    )
    assert cut == []


def test_the_manifest_opens(page: Page) -> None:
    """How the run was made is one click away."""
    manifest = page.get_by_text('"measure_from_ns"')
    assert not manifest.is_visible()
    page.get_by_text("Plan, target, versions, host and seed").click()
    assert manifest.is_visible()


def test_a_table_is_sorted_by_its_heading(page: Page) -> None:
    """By numbers as numbers, up and then down, with the keyboard too; what is sorted says so."""
    table = page.get_by_role("table", name="Every fetch; waiters are requests that waited for it")
    heading = table.get_by_role("columnheader", name="took, ms")
    took = "rows => rows.map(row => parseFloat(row.cells[4].textContent))"
    body = "tbody tr"
    heading.get_by_role("button").click()
    rising = table.locator(body).evaluate_all(took)
    assert rising == sorted(rising)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert table.locator(body).evaluate_all(took) == rising[::-1]


def test_without_scripts_everything_is_there_to_read(browser: Browser, eventful: Reported) -> None:
    """Only the buttons that would sort are missing."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(eventful.folder.report.as_uri())
        assert page.get_by_role("button").count() == 0
        assert page.get_by_role("columnheader", name="took, ms").is_visible()
        assert page.get_by_role("img").count() == 7


def test_on_a_phone_the_verdicts_come_first(page: Page) -> None:
    """Without a swipe: whether it passed, each gate's verdict, and what each auth mode takes."""
    page.set_viewport_size({"width": 390, "height": 800})
    first = page.get_by_role("region", name="Did it pass?").bounding_box()
    remarks = page.locator("#remarks")
    assert first is not None
    assert first["y"] < 300
    assert not remarks.count() or (remarks.bounding_box() or {"y": 0})["y"] > first["y"]
    for cell in (page.get_by_role("cell", name="FAIL"), page.get_by_role("cell", name="1,312")):
        box = cell.first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390

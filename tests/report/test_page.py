"""What is in report.html, read as a parser reads it."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import series
from bench.report import html, modes
from bench.report.build import write_report
from bench.report.modes import modes_page
from bench.report.side import sides_of
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run
from tests.report.conftest import GATES, Reported

VOID = {"meta", "link", "br", "img", "hr", "input", "use", "path"}
LOADING = ("src", "href", "xlink:href", "srcset", "poster", "action", "data")


class Page(HTMLParser):
    """Elements in order, and whether every one of them was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(eventful: Reported) -> Page:
    return Page(eventful.page)


def test_the_page_is_well_formed(page: Page) -> None:
    """Every element is closed where it should be, and no id is used twice."""
    assert (page.faults, page.open) == ([], [])
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []


def test_the_page_says_what_is_known_of_the_way(eventful: Reported) -> None:
    """Beside where a difference comes from; here it is not known, and that is said once for both variants."""
    assert eventful.page.count("<p>key and aml_token: round trip to the first TCP end (a proxy, or Azure") == 1


def test_the_page_loads_nothing(page: Page, eventful: Reported) -> None:
    """No attribute and no style names anything outside the page, and the policy forbids what a browser could fetch."""
    targets = [
        attributes[name] for tag, attributes in page.elements for name in LOADING if name in attributes and tag != "a"
    ]
    links = [attributes["href"] for attributes in page.all("a")]
    assert [link for link in links if ":" in link or link.startswith(("/", "."))] == []
    assert [target for target in targets if not target.startswith(("#", "data:"))] == []
    assert re.findall(r"url\((?!#)[^)]*\)|@import", eventful.page) == []
    assert page.all("script") == [{}]
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    script = re.findall(r"<script>(.*?)</script>", eventful.page, flags=re.DOTALL)[0]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_references_within_the_page_lead_somewhere(page: Page, eventful: Reported) -> None:
    """Every link, clip path, marker and label points to an id that exists."""
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {a["href"][1:] for tag, a in page.elements if "href" in a and a["href"].startswith("#")}
    labels = {name for _, a in page.elements for name in a.get("aria-labelledby", "").split()}
    assert (links | labels | set(re.findall(r"url\(#([^)]+)\)", eventful.page))) - ids == set()


def test_headings_go_down_one_step_at_a_time(page: Page) -> None:
    """There is one h1, it comes first, and no level is skipped."""
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_says_what_it_is(page: Page) -> None:
    """Each table has a caption and each heading cell its scope."""
    assert len(page.all("table")) == len(page.all("caption")) == 10
    assert all(cell.get("scope") in ("col", "row", "colgroup") for cell in page.all("th"))


def test_every_plot_says_what_it_shows(page: Page, eventful: Reported) -> None:
    """Each plot is an image with a title and a description that holds the figures."""
    assert [svg["role"] for svg in page.all("svg")] == ["img"] * 7
    description = re.search(r'<desc id="latency-desc">([^<]+)</desc>', eventful.page)
    assert description is not None
    assert re.search(r"key p50 \d+\.\d+ ms, p99 .* aml_token 1\.\d+ % failed: 401 \w+", description[1])


def test_the_first_screen_comes_first(eventful: Reported) -> None:
    """Pass, trust, cost and auth are answered before anything else, in this order, gates by name."""
    text = eventful.page
    questions = ["Did it pass?", "Did requests fail?", "Can it be trusted?", "What does aml_token cost over key?"]
    places = [text.index(question) for question in questions]
    assert places == sorted(places)
    assert places[-1] < text.index("<nav") < text.index("<svg")
    assert "response_time.p99 &lt; 250ms" in text[places[0] : places[1]]
    assert re.search(r"the credential had run out..<strong>401 credential expired</strong>: \d+", text[places[1] :])


def test_names_from_a_run_are_never_markup(eventful: Reported) -> None:
    """A deployment, an error, a gate or a manifest that holds markup is shown as text."""
    run = load_run(eventful.folder.path)
    summary = copy.deepcopy(eventful.summary)
    evil = "<script>alert(1)</script>"
    summary["variants"]["key"]["deployments"][evil] = summary["variants"]["key"]["deployments"]["blue"]
    summary["variants"]["key"]["classes"] = {evil: summary["variants"]["key"]["deployments"]["blue"]}
    summary["stages"] = [{"name": evil, "from_s": 1, "to_s": 2, "variants": {"key": summary["variants"]["key"]}}]
    summary["problems"] = [evil]
    text = html.render(
        summary,
        sides=sides_of([run]),
        plots={},
        flights=series.flights(run),
        intent=[evil],
        manifest={"plan": evil},
        gates=[{**GATES[0], "metric": evil}],
    )
    assert text.count("<script") == text.count("</script") == 1
    assert text.count("&lt;script&gt;") == 7


def test_key_or_token_is_answered_on_one_screen(eventful: Reported) -> None:
    """Overhead, bytes, ARM's budget, outages, roles and endpoints; what is not documented is called assumed."""
    text = eventful.page
    section = text[text.index('<h2 id="modes">') : text.index('<h2 id="figures">')]
    for said in ("aml_token costs 0.", "312", "1,312", "250 reads", "assumed", "listKeys/action", "token/action"):
        assert said in section
    assert "Kubernetes endpoints" in section


def test_how_long_an_outage_is_survived_is_what_the_token_had_left() -> None:
    """From the token lives that flights report; a key has none."""
    flights = [{"variant": "aml_token", "life_s": 3600.0, "refresh_in_s": 2700.0}]
    block: dict[str, Any] = {"refreshes": {"flights": 1, "mean_ms": 30.0, "response_time": None}}
    summary = {
        "trust": {"verdict": "INVALID"},
        "variants": {mode: {"auth_mode": mode, **block} for mode in ("key", "aml_token", "aad_token")},
        "comparison": {
            "baseline": "key",
            "candidate": "aml_token",
            "response_time_ms": {},
            "decomposition": {"sentence": "x"},
        },
    }
    page = modes_page(summary, {}, flights)
    assert page is not None
    rows = {row.question: row.answers for row in page.rows}
    assert page.costs == ()
    assert rows["survives an outage of ARM"][1].startswith("15 min to 60 min")
    assert rows["survives an outage of ARM"][2] == "unlimited: ARM is not asked"
    assert rows["control-plane calls an hour"][1].startswith("1 write")


def test_the_page_explains_its_words_and_links_its_files(eventful: Reported) -> None:
    """A glossary from the catalogue; links are relative, so that nothing is loaded and a copied folder still works."""
    assert "<dt>response time</dt>" in eventful.page
    assert '<a href="samples/w0.arrows">' in eventful.page


def test_values_are_said_where_the_pointer_rests(eventful: Reported) -> None:
    """Each stretch of time, mark and quantile has a title with its figures, and the time of day."""
    titles = re.findall(r"<rect [^>]*pointer-events=.all.><title>([^<]+)</title></rect>", eventful.page)
    assert len(titles) > 200
    joined = "\n".join(titles)
    for said in (
        r"\d+\.\d\d s, 00:00:\d\d UTC; key: p50 \d+\.\d+ ms, p99 \d+\.?\d* ms of \d+ answers; aml_token: ",
        r"p50: key \d+\.\d+ ms \(\d",
        r"00:00:\d\d UTC: stale, \d+\.\d+ ms, ok",
        r"server: \d+\.\d+ ms",
        r"ok \d+\.?\d*/s, auth failure: ",
        r"UTC: \d+ requests?, \d+\.?\d* to \d+\.?\d* ms",
        r"UTC: p50 \d+\.?\d* ms, p99 \d+\.?\d* ms, max \d+\.?\d* ms",
        r"UTC; w0: in flight \d+, overdue \d+, CPU \d+",
    ):
        assert re.search(said, joined), said


def test_what_a_rotation_costs_is_what_the_drills_found() -> None:
    """The page quotes results/calibration/drills.md: requests refused, seconds without a credential, calls."""
    table = (Path(__file__).parents[2] / "results" / "calibration" / "drills.md").read_text(encoding="utf-8")
    rows = {cells[1]: cells for line in table.splitlines() if (cells := [one.strip() for one in line.split("|")])[1:]}
    for mode, drill in (
        ("key", "key_both_rotated"),
        ("aml_token", "aml_token_revoked"),
        ("aad_token", "aad_token_revoked"),
    ):
        without_s, calls, refused = rows[drill][4], rows[drill][7], rows[drill][10]
        said = modes.ROTATIONS[mode]
        assert f"{round(1000 * float(without_s))} ms without" in said
        assert f" {calls} call" in said
        assert said.startswith(refused.replace("refused", "request refused"))


def test_a_run_without_failures_says_what_it_did_not_see(tmp_path: Path) -> None:
    """Nobody reads `0 %` as never: the rule of three for single failures, and for bursts."""
    path = write_run(tmp_path / "run", sides=(Side("key"),), rate=50, duration_s=12)
    write_report(path)
    page = (path / "report.html").read_text(encoding="utf-8")
    assert "95 % sure: at most 0.5 % fail, if they come one by one; at most 7.5 %, if in bursts." in page


def test_scripted_faults_are_lanes(tmp_path: Path) -> None:
    """Drawn where they were, from the run's zero; one in the warm-up, or after the end, is not drawn."""
    path = write_run(tmp_path / "run", sides=(Side("key"),), rate=50, duration_s=12, warm_up_s=2)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["faults"] = [
        {"do": "model", "answer": "503", "from_s": 4, "to_s": 6},
        {"do": "rotate_key", "from_s": 5, "to_s": 5},
        {"do": "stall", "from_s": 0, "to_s": 1},
        {"do": "arm", "answer": "<b>", "from_s": 9, "to_s": None},
    ]
    (path / "manifest.json").write_text(json.dumps(manifest))
    write_report(path)
    page = (path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r">(fault: [^<]+)</text>", page) == [
        "fault: model 503",
        "fault: rotate key",
        "fault: arm &lt;b&gt;",
    ]
    assert "scripted fault model 503: 4.00 s, 00:00:04 UTC to 6.00 s, 00:00:06 UTC" in page
    assert "scripted fault rotate key: 5.00 s, 00:00:05 UTC</title>" in page

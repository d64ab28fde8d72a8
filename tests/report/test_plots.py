"""The plots as files: well-formed, themed, named, and the same each time."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from bench.report import draw_events, plots
from bench.report.axes import lonely
from bench.report.palette import COLOURS
from bench.report.side import sides_of
from bench.runreader import load_run
from tests.analysis.synthetic import write_run
from tests.report.conftest import Reported

NAMES = ["latency", "outcomes", "percentiles", "difference", "decomposition", "heat-map", "trust"]


def _svgs(page: str) -> list[str]:
    return re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL)


def test_every_plot_lies_beside_the_page_as_png(eventful: Reported) -> None:
    """Each plot of the page is a PNG file as well."""
    files = {file.stem: file.read_bytes() for file in eventful.folder.plots.iterdir()}
    assert sorted(files) == sorted(NAMES)
    assert all(content.startswith(b"\x89PNG") and content[-8:-4] == b"IEND" for content in files.values())


def test_every_plot_is_well_formed_xml(eventful: Reported) -> None:
    """An XML parser reads each inlined SVG, so that it can be copied out of the page."""
    svgs = _svgs(eventful.page)
    assert len(svgs) == len(NAMES)
    for svg in svgs:
        assert ET.fromstring(svg).get("viewBox")  # noqa: S314 - our own file


def test_plots_follow_the_theme(eventful: Reported) -> None:
    """No colour in a plot is fixed: all of them are variables of the page."""
    for svg in _svgs(eventful.page):
        assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
        assert set(re.findall(r"var\(--([a-z]+)\)", svg)) <= {*COLOURS, "font"}


def test_a_value_without_a_neighbour_is_a_dot() -> None:
    """A line through one point does not show; those with a neighbour need no dot."""
    nan = float("nan")
    assert lonely(np.array([1.0, nan, 2.0, 3.0, nan, 4.0]))["markevery"] == [0, 5]
    assert lonely(np.array([7.0]))["markevery"] == [0]
    assert lonely(np.array([1.0, 2.0, nan]))["markevery"] == []
    assert lonely(np.array([]))["markevery"] == []


def test_text_in_plots_stays_text(eventful: Reported) -> None:
    """Labels can be found and read aloud: axes carry their units, marks their names."""
    joined = " ".join(re.findall(r"<text[^>]*>([^<]+)</text>", eventful.page))
    for label in (
        "response time, ms",
        "service time, ms",
        "auth failures of aml_token, % of requests",
        "aml_token refresh",
        "harness stall",
        "expired",
        "refused",
        "schedule lag, ms",
        "time since the run's start, s",
        "p99.9",
    ):
        assert label in joined, label


def test_each_variant_has_one_colour_in_all_plots(eventful: Reported) -> None:
    """key is blue and aml_token vermillion wherever they are drawn."""
    drawn = dict(zip(NAMES, _svgs(eventful.page), strict=True))
    for name in ("latency", "percentiles", "heat-map"):
        assert {"var(--blue)", "var(--vermillion)"} <= set(re.findall(r"var\(--[a-z]+\)", drawn[name])), name
    assert "var(--blue)" not in drawn["trust"]


def test_a_failed_refresh_is_marked_apart(eventful: Reported) -> None:
    """The failed fetch is drawn in the colour of failures, the six good ones in that of the variant."""
    latency = _svgs(eventful.page)[0]
    lane = latency[: latency.index("response time, ms")]
    assert len(re.findall(r"<use [^>]*stroke: var\(--bad\)", lane)) == 1
    assert len(re.findall(r"<use [^>]*stroke: var\(--vermillion\)", lane)) == 6


def test_the_same_run_is_drawn_the_same(eventful: Reported) -> None:
    """Drawing again gives the same pictures to the byte, so that a report can be compared with its last one."""
    run = load_run(eventful.folder.path)
    again = plots.draw(sides_of([run]), eventful.summary)
    for name, plot in again.items():
        assert plot.png == (eventful.folder.plots / f"{name}.png").read_bytes(), name


def test_a_hundred_thousand_stalls_do_not_make_a_page_of_megabytes(tmp_path: Path) -> None:
    """Those that would share a mark have one; the first and the last second of the stalling are both marked."""
    stalls = tuple((10 + number / 5_000, 1.2) for number in range(100_000))
    run = load_run(write_run(tmp_path / "stalling", duration_s=60, rate=20, stalls=stalls))
    (lane,) = (lane for lane in draw_events.lanes(sides_of([run])) if lane.name == "harness stall")
    assert 100 < len(lane.ok_s) <= 500
    assert lane.ok_s[0] < 11
    assert lane.ok_s[-1] > 29
    assert list(lane.ok_s) == sorted(set(lane.ok_s))

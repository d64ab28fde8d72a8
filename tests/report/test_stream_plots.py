"""The plots of streamed answers: in the page and as files, also where next to nothing came."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.analysis import stream_series
from bench.analysis.stream_series import timelines
from bench.report import draw_streams
from bench.report.build import write_overlay, write_report
from bench.report.canvas import draw_style, finish
from bench.report.side import sides_of
from bench.runreader import load_run
from tests.analysis.streamed import Asked, write_streamed

_PLOTS = ("tokens", "tokens-over-time", "timelines")


def _plots(folder: Path) -> dict[str, str]:
    """SVG by the plot's name; well-formed, without a colour of its own and without a number that is none."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    found = {}
    for svg in re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL):
        assert ET.fromstring(svg).get("viewBox")  # noqa: S314 - our own file
        assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
        assert "nan" not in re.findall(r"<title>([^<]*)</title>", svg)
        found[re.findall(r'<title id="([a-z-]+)-title"', svg)[0]] = svg
    return found


def test_a_run_of_streams_shows_them_over_time_and_token_by_token(tmp_path: Path) -> None:
    """A lane for each answer that is shown, and one that was cut says so where the pointer rests."""
    requests = [Asked(at_s=n / 4, first_ms=50 + n % 7, gaps_ms=(10, 12, 9)) for n in range(200)]
    requests.append(Asked(at_s=55, first_ms=40, gaps_ms=(5,), outcome="transport_error", cause="cut"))
    run = write_streamed(tmp_path / "run", requests)
    write_report(run)
    drawn = _plots(run)
    assert set(_PLOTS) <= set(drawn)
    assert all((run / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in _PLOTS)
    for text in ("time to first token, ms", "between tokens, ms", "tokens a second"):
        assert f">{text}</text>" in drawn["tokens-over-time"]
    for text in ("key: median first token", "key: slowest first token", "key: longest gap", "key: ended early"):
        assert f">{text}</text>" in drawn["timelines"]
    first_screen = (run / "report.html").read_text(encoding="utf-8").partition('id="figures"')[0]
    assert "<p>key first token p50 53" in first_screen
    assert "2 tokens, longest gap 5.00 ms, connection cut, answer with status 200 cut off," in drawn["timelines"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "requests",
    [
        [Asked(at_s=1)],
        [Asked(at_s=1, first_ms=None, end_ms=5, outcome="transport_error", cause="cut")],
        [Asked(at_s=1, gaps_ms=[0.01] * 20_000)],
        [Asked(at_s=1, first_ms=0.0, end_ms=0.0)],
    ],
    ids=["one token", "none", "twenty thousand", "in no time"],
)
def test_next_to_nothing_is_drawn_too(tmp_path: Path, requests: list[Asked]) -> None:
    """One answer, none with a token; and a long one does not make a page of megabytes."""
    sides = sides_of([load_run(write_streamed(tmp_path / "run", requests))])
    over_time, lanes = ([one(side.run, side.variant) for side in sides] for one in (stream_series.over_time, timelines))
    with draw_style():
        figures = draw_streams.over_time(sides, over_time), draw_streams.timelines(sides, lanes)
        svgs = [finish(figure, name="x", title="x", caption="x", alt="x").svg for figure in figures]
    assert max(map(len, svgs)) < 300_000


@pytest.mark.filterwarnings("error")
def test_tokens_that_come_all_at_once_are_drawn(tmp_path: Path) -> None:
    """As behind a proxy that holds streams back: gaps of 0 on a logarithmic axis. The other side streams nothing."""
    held = Asked(at_s=1, gaps_ms=(0.0, 0.0), end_ms=0.0)
    run = write_streamed(tmp_path / "run", [held, Asked(at_s=2, variant="aml_token", streamed=False, first_ms=None)])
    write_report(run)
    assert set(_PLOTS) <= set(_plots(run))


def test_several_runs_lie_over_each_other(tmp_path: Path) -> None:
    """Each with its lanes, under its own label."""
    runs = [write_streamed(tmp_path / name, [Asked(at_s=1, gaps_ms=(9,))]) for name in ("before", "after")]
    write_overlay(runs, tmp_path / "both")
    assert ">before/key: median first token</text>" in _plots(tmp_path / "both")["timelines"]

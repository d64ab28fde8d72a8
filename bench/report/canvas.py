"""Turns a matplotlib figure into a `Plot`: SVG text for the page, PNG bytes for the folder. Edge: matplotlib.

It is imported inside the functions, so that importing this costs nothing;
figures are built without pyplot, so there is no global state and no display.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from bench.report import hover
from bench.report.palette import COLOURS, light

WIDTH_IN = 9.2
_PNG_DPI = 160
_PNG = {"compress_level": 4}  # a third of the time that the usual 6 takes, for files that are 2 % larger
_TITLE_IN = 0.33
_FRAME_IN = 0.85

CRISP = "crisp"
"""Group id of shapes that touch each other and must be drawn without softened edges."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, sharp, found by a search and read by a screen reader
    "svg.hashsalt": "bench",  # the same run gives the same file
    "font.size": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": light("muted"),
    "axes.labelcolor": light("muted"),
    "axes.titlecolor": light("ink"),
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": light("grid"),
    "grid.linewidth": 0.8,
    "text.color": light("ink"),
    "text.parse_math": False,  # a variant's name may hold a dollar sign
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.borderaxespad": 0.3,
    "legend.borderpad": 0,
    "legend.columnspacing": 1.6,
    "legend.handletextpad": 0.6,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A finished figure. `alt` says in words what it shows; `svg` is ready to be inlined into HTML."""

    name: str
    title: str
    caption: str
    alt: str
    svg: Markup
    png: bytes


def draw_style() -> Any:
    """The context every figure is built and saved in."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def new_figure(
    *, heights_in: Sequence[float], columns: int = 1, share_x: bool = True, share_y: bool = False
) -> tuple[Any, list[list[Any]]]:
    """A figure as wide as the page, and its axes as rows of columns.

    All axes share x with `share_x`, the columns of a row share y with `share_y`. `heights_in` are those of the axes
    alone; room for titles, legend and time axis comes on top.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height_in = sum(heights_in) + _TITLE_IN * len(heights_in) + _FRAME_IN
    layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.03, hspace=0, wspace=0.04)
    figure = Figure(figsize=(WIDTH_IN, height_in), layout=layout)
    axes = figure.subplots(
        len(heights_in),
        columns,
        squeeze=False,
        sharex=share_x,
        sharey="row" if share_y else False,
        height_ratios=list(heights_in),
    )
    return figure, [list(row) for row in axes]


def finish(figure: Any, *, name: str, title: str, caption: str, alt: str) -> Plot:
    """Save `figure` both ways.

    Each canvas draws once. `Figure.savefig` would draw before each of the two as well, which costs as much again, for
    the sake of axes with an aspect or of a box that is cut to fit: there are none here.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg = io.StringIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    figure.set_layout_engine("none")  # it is laid out now, for both formats
    over = hover.svg(figure)
    figure.set_dpi(_PNG_DPI)
    figure.set_facecolor(light("page"))
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png, metadata={"Title": title}, pil_kwargs=_PNG)
    return Plot(
        name=name,
        title=title,
        caption=caption,
        alt=alt,
        svg=_inline(svg.getvalue(), name=name, title=title, alt=alt, over=over),
        png=png.getvalue(),
    )


def _shorten(tag: re.Match[str]) -> str:
    """A tag with two decimals a number instead of six, which saves a fifth of the page; text is not touched."""
    return re.sub(r"(\.\d\d)\d+", r"\1", tag[0])


def _inline(svg: str, *, name: str, title: str, alt: str, over: str) -> Markup:
    """matplotlib's SVG file as an element of a page: themed, named, with ids of its own, and nothing to load.

    `over` is SVG that lies above it all.
    """
    view_box = re.search(r'viewBox="([^"]+)"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<\w[^>]*>", _shorten, body)
    body = body.replace(f'<g id="{CRISP}"', '<g shape-rendering="crispEdges"')
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'xlink:href="#', f'href="#{name}-', body)
    body = re.sub(r"(font: [^;\"]*?[\d.]+px) [^;\"]+", r"\1 var(--font)", body)
    for role, colour in COLOURS.items():
        body = body.replace(colour.light, f"var(--{role})")
    return Markup(  # noqa: S704 - matplotlib escapes every text it writes
        f'<svg viewBox="{view_box[1] if view_box else ""}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(alt)}</desc>{body}{over}</svg>'
    )

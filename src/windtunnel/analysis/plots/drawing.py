"""From something that draws on a figure to SVG that takes its colours from the page around it, or to PNG.

For SVG, matplotlib draws with stand-in colours, which are then replaced by CSS variables:
so one file reads well on a light and on a dark page, and in print.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure, FigureBase

from windtunnel.analysis.plots.palette import LIGHT, SERIES

LineStyle = str | tuple[float, tuple[float, ...]]
LINE_STYLES: tuple[LineStyle, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))
_INKS = ("ink", "muted", "grid", "card", *(f"series-{number}" for number in range(1, SERIES + 1)))
_DOTS_PER_INCH = 100
_COLOURS = (64, 16, 8)
_LARGEST = 60_000
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Theme:
    """The inks that a plot draws with, as matplotlib's colours; `series` are the lines'."""

    ink: str
    muted: str
    grid: str
    card: str
    series: tuple[str, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let matplotlib draw and save in this theme meanwhile."""
        style: dict[Any, Any] = {
            "svg.fonttype": "none",
            "svg.hashsalt": "windtunnel",
            "font.family": "sans-serif",
            "font.size": 9,
            "text.color": self.ink,
            "text.parse_math": False,
            "axes.facecolor": self.card,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.ink,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 9,
            "axes.titlelocation": "left",
            "figure.facecolor": self.card,
            "grid.color": self.grid,
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.ink,
            "ytick.labelcolor": self.ink,
        }
        with mpl.rc_context(style), warnings.catch_warnings():
            # The page's fonts draw the text of an SVG; what measures it here may lack some letters.
            warnings.filterwarnings("ignore", r"Glyph \d+")
            yield


Draw = Callable[[FigureBase, Theme], None]
"""Something that draws on a figure in a theme."""


def _theme(inks: tuple[str, ...]) -> Theme:
    ink, muted, grid, card, *series = inks
    return Theme(ink, muted, grid, card, tuple(series))


_STAND_INS = {f"#0a01{number:02x}": name for number, name in enumerate(_INKS)}
_ON_PAGE = _theme(tuple(_STAND_INS))
_ALONE = _theme(tuple(LIGHT[name] for name in _INKS))


def legible(name: str) -> str:
    """Return a name that fits beside a plot, and that matplotlib does not take for a hidden one."""
    name = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return f" {name}" if name.startswith("_") else name


def draw_svg(draw: Draw, size: tuple[float, float], label: str, key: str) -> str:
    """Return a plot as SVG to be put into a page that has the palette's variables.

    Args:
        draw: Draws the plot on a figure.
        size: Width and height in inches; text is 9/72 of an inch.
        label: Text for screen readers.
        key: Makes the ids of this plot differ from those of the page's other plots.
    """
    buffer = io.StringIO()
    with _ON_PAGE.applied():
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, _ON_PAGE)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r">\s+<", "><", text).replace("xlink:href", "href")
    for colour, name in _STAND_INS.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r'<svg\b[^>]*?viewBox="([^"]*)"[^>]*>', lambda match: _opening(match[1], label), text, count=1)
    return _own_ids(text, key)


def draw_png(draw: Draw, size: tuple[float, float]) -> bytes:
    """Return a plot as PNG in the light palette, 100 pixels for each inch of `size`.

    It has as many colours as fit into 60 kB, 8 at least; a plot has few, so none is missed.
    """
    from PIL import Image

    drawn = io.BytesIO()
    with _ALONE.applied():
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, _ALONE)
        figure.savefig(drawn, format="png", dpi=_DOTS_PER_INCH)
    with Image.open(drawn) as image:
        plain = image.convert("RGB")
    for colours in _COLOURS:
        packed = io.BytesIO()
        plain.quantize(colours).save(packed, format="png", optimize=True)
        if packed.tell() < _LARGEST:
            break
    return packed.getvalue()


def _opening(view_box: str, label: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view_box}" role="img" aria-label="{escape(label)}">'


def _own_ids(svg: str, key: str) -> str:
    """Keep the ids that something in the plot refers to, under names that no other plot has."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{key}-{match[1]}"' if match[1] in used else "", svg)
    return re.sub(r'(href="#|url\(#)', lambda match: f"{match[1]}{key}-", svg)

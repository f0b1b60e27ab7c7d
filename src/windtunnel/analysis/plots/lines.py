"""A metric over the values of one key of a matrix, a line for each combination of the other keys' values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from windtunnel.analysis.plots.drawing import LINE_STYLES, Draw, Theme, legible

_LOG_RATIO = 16
_MOST_TICKS = 8
_MOST_WORDS = 16
_MOST_LETTERS = 40  # of all names below an axis, side by side
_LONGEST_WORD = 18
_MOST_MARKS = 40
_APART = 0.12
_LEGEND_LETTERS = 72  # of all names beside each other
_LEGEND_LINE = 6  # letters that a name's sample of its line is as wide as
_LEGEND_HEIGHT = 0.17  # inches
_ABOVE = 1.08  # between an axes' top and its legend there may be a power of ten
_MOST_COLUMNS = 4


@dataclass(frozen=True)
class Dot:
    """One run: which value of the axis it has, counted from 0, and what it measured.

    Attributes:
        place: The value's place on the axis.
        y: What was measured; None if there is nothing to be used.
        interval: From where to where it is, at 95 %.
        is_valid: Whether the number can be used as it is; one that is suspect is drawn hollow, off the line.
    """

    place: int
    y: float | None
    interval: tuple[float, float] | None = None
    is_valid: bool = True


@dataclass(frozen=True)
class Series:
    """The dots of one line, from left to right, and what the line is called."""

    name: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Scale:
    """An axis: what it is called, its values as text, and as numbers if they are all numbers, in order of size."""

    label: str
    words: Sequence[str]
    numbers: Sequence[float] | None

    @property
    def is_logarithmic(self) -> bool:
        """Whether the values are so far apart that small ones would lie on each other."""
        return self.numbers is not None and 0 < self.numbers[0] * _LOG_RATIO <= self.numbers[-1]


def legend_height(series: Sequence[Series]) -> float:
    """Return the height in inches that the names of these lines need above a plot."""
    return _LEGEND_HEIGHT * -(-len(series) // _columns([line.name for line in series]))


def plot_lines(series: Sequence[Series], scale: Scale, unit: str | None, title: str) -> Draw:
    """Return what draws the mean of each run with its 95 % interval.

    Args:
        series: The lines, 6 at most.
        scale: The axis that they go along; values that are no numbers are not joined by lines.
        unit: What the metric is measured in.
        title: What the lines' names are values of; nothing if there is one line without a name.
    """

    def finish(axes: Axes, _theme: Theme) -> None:
        axes.set_ylabel(unit or "value")
        axes.margins(y=0.15)

    return plot_series(series, scale, title, finish)


def plot_series(series: Sequence[Series], scale: Scale, title: str, finish: Callable[[Axes, Theme], None]) -> Draw:
    """Return what draws lines along an axis, and lets `finish` do what is special to a plot.

    A run without a number to be used is a cross at the bottom.
    """

    def draw(figure: FigureBase, theme: Theme) -> None:
        axes = figure.subplots()
        for index, line in enumerate(series):
            look = _Look(theme.series[index % len(theme.series)], theme.card, LINE_STYLES[index % len(LINE_STYLES)])
            _draw(axes, line, scale, look, 0.0 if scale.numbers else _APART * (index - (len(series) - 1) / 2))
        axes.ticklabel_format(axis="y", useOffset=False)
        _set_scale(axes, scale)
        finish(axes, theme)
        handles, names = axes.get_legend_handles_labels()
        if names:
            axes.legend(
                handles,
                names,
                loc="lower left",
                bbox_to_anchor=(0, _ABOVE),
                borderaxespad=0.2,
                ncols=_columns(names),
                title=legible(title) or None,
                alignment="left",
                fontsize=8,
                title_fontsize=8,
            )

    return draw


@dataclass(frozen=True)
class _Look:
    colour: str
    inside: str
    style: Any


def _draw(axes: Axes, line: Series, scale: Scale, look: _Look, offset: float) -> None:
    def x(dot: Dot) -> float:
        return (scale.numbers[dot.place] if scale.numbers else float(dot.place)) + offset

    valid = [(x(dot), dot.y, dot.interval) for dot in line.dots if dot.is_valid and dot.y is not None]
    suspect = [(x(dot), dot.y) for dot in line.dots if not dot.is_valid and dot.y is not None]
    lost = [x(dot) for dot in line.dots if dot.y is None]
    size = 4.5 if len(line.dots) <= _MOST_MARKS else 2
    places = [place for place, _y, _interval in valid]
    is_joined = scale.numbers is not None and len(set(places)) == len(places)
    axes.plot(
        places,
        [y for _place, y, _interval in valid],
        marker="o",
        markersize=size,
        linestyle=look.style if is_joined else "",
        linewidth=1.4,
        color=look.colour,
        label=legible(line.name) or None,
    )
    known = [(place, *interval) for place, _y, interval in valid if interval]
    if known:
        axes.vlines(*zip(*known, strict=True), color=look.colour, linewidth=1)
    for place, y in suspect:
        axes.plot(place, y, marker="o", markersize=size + 1, color=look.colour, markerfacecolor=look.inside)
    if lost:
        # At the bottom, whatever the numbers are.
        where = axes.get_xaxis_transform()
        axes.plot(lost, [0.03] * len(lost), "x", color=look.colour, markersize=size + 1, transform=where, clip_on=False)


def _set_scale(axes: Axes, scale: Scale) -> None:
    axes.set_xlabel(legible(scale.label))
    if scale.numbers is None:
        shown = range(0, len(scale.words), -(-len(scale.words) // _MOST_WORDS))
        words = [_short(scale.words[place]) for place in shown]
        is_long = sum(map(len, words)) > _MOST_LETTERS
        axes.set_xticks(list(shown), words, rotation=30 if is_long else 0, ha="right" if is_long else "center")
        axes.set_xlim(-0.5, len(scale.words) - 0.5)
        return
    if scale.is_logarithmic:
        axes.set_xscale("log", base=2)
    if len(scale.numbers) <= _MOST_TICKS:
        axes.set_xticks(list(scale.numbers), [f"{number:g}" for number in scale.numbers])
        axes.set_xticks([], minor=True)
    else:
        axes.xaxis.set_major_formatter("{x:g}")
    if len(scale.numbers) == 1:
        room = abs(scale.numbers[0]) / 2 or 1.0
        axes.set_xlim(scale.numbers[0] - room, scale.numbers[0] + room)


def _columns(names: Sequence[str]) -> int:
    longest = max((len(legible(name)) for name in names), default=0)
    return max(1, min(_MOST_COLUMNS, _LEGEND_LETTERS // (longest + _LEGEND_LINE)))


def _short(word: str) -> str:
    word = legible(word)
    return word if len(word) <= _LONGEST_WORD else word[: _LONGEST_WORD - 1] + "…"

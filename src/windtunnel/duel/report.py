"""A duel's report: one HTML file with the verdict, each metric's change by round, and every run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.comparison.words import change_in_words, in_words, span_in_words
from windtunnel.analysis.duel.judgement import Judgement, MetricJudgement
from windtunnel.analysis.figures import Figure, make_figure
from windtunnel.analysis.page import load_template, relative
from windtunnel.analysis.plots.rounds import plot_rounds
from windtunnel.duel.record import DuelRecord
from windtunnel.duel.words import headline

_MOST_METRICS = 16
_SIZE = (5.4, 2.7)
_TONES = {"worse": "bad", "better": "good", "same": "good", "unknown": "warn"}


@dataclass(frozen=True)
class MetricPart:
    """One metric in the report: what is said of it in words, its row in the table, and its figure."""

    name: str
    sentence: str
    word: str
    change: str
    span: str
    reason: str
    figure: Figure


def render(record: DuelRecord, judgement: Judgement | None, store: Path, at: Path) -> str:
    """Return the report of a duel as HTML that needs no other file.

    Args:
        record: The duel.
        judgement: What its last look said, if there was one.
        store: The folder that keeps its runs.
        at: The folder in which the report will lie: links to the runs start there.

    Raises:
        UsageError: The ``report`` extra is not installed.
    """
    template = load_template("duel.html.j2")
    measured = [found for found in judgement.metrics if found.effect] if judgement else []
    measured.sort(key=lambda found: not found.metric.gates)
    level = judgement.level if judgement else 0.0
    parts = [_part(found, level, record.units, number) for number, found in enumerate(measured[:_MOST_METRICS])]
    return template.render(
        record=record,
        headline=headline(record, judgement),
        tone=_TONES.get(record.verdict or "", "bad"),
        metrics=parts,
        metrics_left_out=max(0, len(measured) - _MOST_METRICS),
        level=level,
        base=relative(store, at),
    )


def _part(found: MetricJudgement, level: float, units: Mapping[str, str | None], number: int) -> MetricPart:
    effect, name = found.effect, found.metric.name
    if effect is None:
        msg = f"{name} has no effect"
        raise ValueError(msg)
    unit = units.get(name)
    is_ratio = effect.scale == "ratio"
    by_round = [_shown(effect, size) for size in found.worse_by_round]
    low, high = effect.change_interval(level)
    factor = 100.0 if is_ratio else 1.0
    zone = None if found.zone is None else factor * math.expm1(found.zone) if is_ratio else found.zone
    interval = factor * low, factor * high
    draw = plot_rounds(by_round, _shown(effect, effect.size), interval, zone, "%" if is_ratio else unit or "its unit")
    figure = make_figure(draw, _SIZE, f"rounds-{number}", name, "the candidate beside the baseline, round by round")
    return MetricPart(
        name=name,
        sentence=in_words(found, level, units),
        word=found.word or "–",
        change=change_in_words(effect, unit),
        span=span_in_words(effect, level, unit),
        reason=found.reason.message if found.reason else "",
        figure=figure,
    )


def _shown(effect: Effect, size: float) -> float:
    """Return a size on the test's scale as a change in per cent, or in the metric's unit."""
    change = effect.change(size)
    return 100 * change if effect.scale == "ratio" else change

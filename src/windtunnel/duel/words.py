"""A duel in words, for a terminal and for a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.duel.judgement import Judgement, MetricJudgement
from windtunnel.analysis.formatting import number
from windtunnel.duel.record import DuelRecord

Units = Mapping[str, str | None]
_HEADLINES = {
    "worse": "the candidate is worse",
    "better": "the candidate is better",
    "same": "the candidate is the same",
    "unknown": "it is not known which is better",
}


def headline(record: DuelRecord, judgement: Judgement | None) -> str:
    """Return what a duel came to, in one line."""
    if record.verdict is None or judgement is None:
        return f"no verdict: {record.cause.message if record.cause else record.status}"
    rounds = judgement.rounds
    words = f"{_HEADLINES[record.verdict]}, after {rounds} round{'s' * (rounds != 1)}"
    return f"{words}: {judgement.reason.message}" if judgement.reason else words


def in_words(found: MetricJudgement, level: float, units: Units) -> str:
    """Return what a look says of a metric, such as ``latency: worse, +5.2 % (+3.9 % to +6.5 %)``."""
    name = found.metric.name
    if found.effect is None:
        return f"{name}: {found.reason.message if found.reason else 'not measured in enough rounds'}"
    change = _change(found.effect, level, units.get(name))
    if found.word is None:
        return f"{name}: {change}"
    if found.word == "same":
        return f"{name}: same, less than {_zone(found, units.get(name))} apart, {change}"
    return f"{name}: {found.word}, {change}" + (f"; {found.reason.message}" if found.reason else "")


def _change(effect: Effect, level: float, unit: str | None) -> str:
    low, high = effect.change_interval(level)
    return f"{_amount(effect.change(effect.size), effect, unit)} ({_span(effect, low, high, unit)})"


def _span(effect: Effect, low: float, high: float, unit: str | None) -> str:
    return f"{_amount(low, effect, unit)} to {_amount(high, effect, unit)}"


def _amount(change: float, effect: Effect, unit: str | None) -> str:
    if effect.scale == "ratio":
        return f"{100 * change:+.1f} %"
    return f"{'+' if change >= 0 else ''}{number(change)} {unit or ''}".rstrip()


def _zone(found: MetricJudgement, unit: str | None) -> str:
    if found.zone is None or found.effect is None:
        return "anything"
    if found.effect.scale == "ratio":
        return f"{100 * math.expm1(found.zone):.3g} %"
    return f"{number(found.zone)} {unit or ''}".rstrip()


def as_markdown(record: DuelRecord, judgement: Judgement | None) -> str:
    """Return a duel as Markdown, for a comment on a change."""
    lines = [f"**{record.benchmark}**: {headline(record, judgement)}", ""]
    if judgement:
        lines += ["| metric | verdict | change | interval | |", "|---|---|---|---|---|"]
        lines += [_row(found, judgement.level, record.units) for found in judgement.metrics if found.effect]
        lines.append("")
    baseline, candidate = record.sides["baseline"], record.sides["candidate"]
    sources = f"Baseline: {baseline.source}; candidate: {candidate.source}"
    lines.append(f"{sources}; on {record.backend}, seed {record.design.seed}.")
    return "\n".join([*lines, *_remarks(record)]) + "\n"


def _row(found: MetricJudgement, level: float, units: Units) -> str:
    effect, unit = found.effect, units.get(found.metric.name)
    if effect is None:
        return ""
    span = _span(effect, *effect.change_interval(level), unit)
    reason = found.reason.message if found.reason else ""
    cells = [
        f"`{found.metric.name}`",
        found.word or "",
        _amount(effect.change(effect.size), effect, unit),
        span,
        reason,
    ]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _remarks(record: DuelRecord) -> Iterator[str]:
    yield from (f"- differs: {each}" for each in record.differences)
    yield from (f"- round {each.number} was lost: {each.lost}" for each in record.done if each.lost)

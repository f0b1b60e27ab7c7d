"""A duel in words, for a terminal and for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from windtunnel.analysis.comparison.words import Units, change_in_words, span_in_words
from windtunnel.analysis.duel.judgement import Judgement, MetricJudgement
from windtunnel.duel.record import DuelRecord

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
    span = span_in_words(effect, level, unit)
    reason = found.reason.message if found.reason else ""
    cells = [
        f"`{found.metric.name}`",
        found.word or "",
        change_in_words(effect, unit),
        span,
        reason,
    ]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _remarks(record: DuelRecord) -> Iterator[str]:
    yield from (f"- differs: {each}" for each in record.differences)
    yield from (f"- round {each.number} was lost: {each.lost}" for each in record.done if each.lost)

"""The verdict of a duel at a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from windtunnel.analysis.comparison.effect import Effect, paired_effect, worse_by_round
from windtunnel.analysis.comparison.metric import ComparedMetric
from windtunnel.analysis.comparison.power import FEWEST_ROUNDS, detectable_effect
from windtunnel.analysis.comparison.reasons import Reason, not_judged
from windtunnel.analysis.comparison.verdict import Word, holm, overall, word_for
from windtunnel.analysis.duel.design import Design
from windtunnel.analysis.duel.reasons import no_gates, no_word, too_few, too_many_lost
from windtunnel.analysis.duel.rounds import LostRound, Round, are_too_many, split

_ENOUGH_FOR_SPREAD = 2


@dataclass(frozen=True)
class MetricJudgement:
    """What a look says of one metric.

    Attributes:
        metric: The metric.
        word: The verdict; None if no verdict depends on the metric.
        reason: Why the word is ``unknown``.
        worse_by_round: How much worse the candidate was in each round, on the effect's scale.
        effect: The effect over all rounds; None if there are fewer than two.
        adjusted_p: Its p-value by Holm over all metrics that gate; None if this one does not.
        zone: The smallest size that matters, on the effect's scale; None if that is not known.
        detectable: The smallest size that this look calls worse with a chance of 80 %, on the effect's scale.
    """

    metric: ComparedMetric
    word: Word | None
    reason: Reason | None
    worse_by_round: tuple[float, ...] = ()
    effect: Effect | None = None
    adjusted_p: float | None = None
    zone: float | None = None
    detectable: float | None = None


@dataclass(frozen=True)
class Judgement:
    """What a look says of a duel.

    Attributes:
        word: The verdict: worse before unknown before better before same.
        reason: Why it is ``unknown``, if that is so for the whole duel.
        is_final: Whether the duel ends here.
        rounds: How many rounds count.
        level: The level of this look.
        lost: The rounds that do not count.
        metrics: Each metric's judgement, in the order given.
    """

    word: Word
    reason: Reason | None
    is_final: bool
    rounds: int
    level: float
    lost: tuple[LostRound, ...]
    metrics: tuple[MetricJudgement, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data; each effect has its change and interval, too, at this look's level."""
        data = asdict(self)
        for each, found in zip(data["metrics"], self.metrics, strict=True):
            if effect := found.effect:
                ends = effect.change_interval(self.level)
                each["effect"] |= {"change": effect.change(effect.size), "change_interval": ends}
        return data


def is_look_due(design: Design, metrics: Sequence[ComparedMetric], rounds: Sequence[Round]) -> bool:
    """Tell whether a duel is to be judged after these rounds: at a planned look, at its end, or if it is past help."""
    counted, lost = split(rounds, metrics)
    is_over = len(rounds) >= design.rounds or are_too_many(len(lost), design.rounds)
    was_counted = bool(counted) and counted[-1] is rounds[-1]
    return is_over or (was_counted and len(counted) in design.looks)


def judge(
    design: Design, metrics: Sequence[ComparedMetric], rounds: Sequence[Round], *, is_stopped: bool = False
) -> Judgement:
    """Return the verdict after these rounds; `is_look_due` tells when it may be asked for.

    Source: paired t on logarithms, Holm over the metrics that gate, Bonferroni over the looks, and two one-sided tests
    for "same" (docs/adr/0022-duels.md, with simulations).

    Args:
        design: The duel's plan.
        metrics: What is compared.
        rounds: All rounds so far, lost ones too.
        is_stopped: Whether there will be no more rounds for another reason than the plan, such as a budget.
    """
    counted, lost = split(rounds, metrics)
    is_past_help = are_too_many(len(lost), design.rounds)
    is_over = is_stopped or is_past_help or len(rounds) >= design.rounds
    trouble = _trouble(metrics, len(counted), lost, len(rounds))
    judged = _judged(design.level, metrics, counted, trouble)
    words = [each.word for each in judged if each.word]
    # More rounds give no word to a metric that cannot have one.
    pending = [each for each in judged if each.word == "unknown" and not (each.reason and each.reason.is_lasting)]
    return Judgement(
        word=overall(words),
        reason=trouble,
        is_final=is_over or "worse" in words or bool(words and not pending),
        rounds=len(counted),
        level=design.level,
        lost=tuple(lost),
        metrics=tuple(judged),
    )


def _trouble(metrics: Sequence[ComparedMetric], counted: int, lost: Sequence[LostRound], begun: int) -> Reason | None:
    """Return why no word can be said of any metric."""
    if not any(metric.gates for metric in metrics):
        return no_gates()
    if are_too_many(len(lost), begun):
        return too_many_lost(len(lost), begun)
    return too_few(counted) if counted < FEWEST_ROUNDS else None


def _judged(
    level: float, metrics: Sequence[ComparedMetric], rounds: Sequence[Round], trouble: Reason | None
) -> list[MetricJudgement]:
    measured = [_measured(metric, rounds) for metric in metrics]
    gates = sum(metric.gates for metric in metrics)
    # What has no effect, or no direction, is no less a part of the family.
    p_values = [each.effect.p if each.effect and each.metric.better else 1.0 for each in measured if each.metric.gates]
    adjusted = iter(holm(p_values))
    return [_word(level, gates, each, next(adjusted) if each.metric.gates else None, trouble) for each in measured]


def _measured(metric: ComparedMetric, rounds: Sequence[Round]) -> MetricJudgement:
    """Return a metric's effect, without a word yet."""
    pairs = [(each.baseline[metric.name], each.candidate[metric.name]) for each in rounds if each.has(metric.name)]
    if len(pairs) < _ENOUGH_FOR_SPREAD:
        return MetricJudgement(metric, None, None)
    baseline, candidate = zip(*pairs, strict=True)
    effect = paired_effect(baseline, candidate, metric)
    by_round = tuple(worse_by_round(baseline, candidate, metric))
    return MetricJudgement(metric, None, None, by_round, effect, zone=metric.zone(effect.scale))


def _word(
    level: float, gates: int, found: MetricJudgement, adjusted: float | None, trouble: Reason | None
) -> MetricJudgement:
    """Return a metric's judgement with its word, if the verdict depends on the metric."""
    fields = vars(found)
    effect, rounds = found.effect, len(found.worse_by_round)
    if effect and found.zone is not None:
        spread = effect.error * rounds**0.5
        family = level / max(1, gates)
        fields = fields | {"detectable": detectable_effect(rounds, spread, family, found.zone)}
    if not found.metric.gates:
        return MetricJudgement(**fields)
    reason = trouble or not_judged(found.metric, effect, found.zone)
    word: Word = "unknown"
    if effect and adjusted is not None and not reason:
        word = word_for(effect, adjusted, found.zone, level)
        reason = no_word(effect, found.zone, rounds, level / gates) if word == "unknown" else None
    return MetricJudgement(**(fields | {"word": word, "reason": reason, "adjusted_p": adjusted}))

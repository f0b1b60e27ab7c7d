"""Runs that are stored, and were measured at different times: what can be said of two groups of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from windtunnel.analysis.comparison.effect import ALPHA, Effect, prediction_effect, unpaired_effect
from windtunnel.analysis.comparison.metric import ComparedMetric
from windtunnel.analysis.comparison.reasons import Reason, not_judged
from windtunnel.analysis.comparison.verdict import Word, holm, overall, word_for

FEWEST_RUNS = 5
FEWEST_SESSIONS = 3
FEWEST_FOR_PREDICTION = 8
_FEWEST_FOR_SPREAD = 2

Method = Literal["unpaired", "prediction"]
_EFFECTS: Mapping[Method, Callable[[Sequence[float], Sequence[float], ComparedMetric], Effect]] = {
    "unpaired": unpaired_effect,
    "prediction": prediction_effect,
}


@dataclass(frozen=True)
class StoredRun:
    """One run.

    Attributes:
        session: What the run has in common with others that one command made, such as the id of a sweep.
        values: The run value of each metric.
    """

    session: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Side:
    """How much a side has of one metric."""

    runs: int
    sessions: int

    def can_carry_a_word(self) -> bool:
        """Tell whether the side knows how its runs differ, from one session to another too."""
        return self.runs >= FEWEST_RUNS and self.sessions >= FEWEST_SESSIONS


@dataclass(frozen=True)
class StoredJudgement:
    """What is said of one metric.

    Attributes:
        metric: The metric.
        baseline: What there is of it on one side.
        candidate: What there is of it on the other.
        method: ``unpaired`` from two runs of each side on, ``prediction`` for one run against eight or more, else None.
        effect: The effect; None if nothing is known of the spread.
        word: The verdict; None if no verdict depends on the metric.
        reason: Why the word is ``unknown``.
        adjusted_p: The p-value by Holm over all metrics that gate; None if this one does not.
        zone: The smallest size that matters, on the effect's scale; None if that is not known.
    """

    metric: ComparedMetric
    baseline: Side
    candidate: Side
    method: Method | None
    effect: Effect | None
    word: Word | None = None
    reason: Reason | None = None
    adjusted_p: float | None = None
    zone: float | None = None


@dataclass(frozen=True)
class StoredComparison:
    """What is said of two groups of stored runs; drift between their times is never excluded."""

    word: Word
    metrics: tuple[StoredJudgement, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data; each effect has its change and 95 % interval, too."""
        data = asdict(self)
        for each, found in zip(data["metrics"], self.metrics, strict=True):
            if effect := found.effect:
                ends = effect.change_interval(ALPHA)
                each["effect"] |= {"change": effect.change(effect.size), "change_interval": ends}
        return data


def compare_stored(
    metrics: Sequence[ComparedMetric], baseline: Sequence[StoredRun], candidate: Sequence[StoredRun]
) -> StoredComparison:
    """Return what can be said of the candidate's runs beside the baseline's.

    The level is 5 % for all metrics that gate together.

    A word takes five runs from three sessions on each side, or one run against eight from three sessions: what differs
    from session to session is not seen within one. Iterations are never compared, since those of one run depend on each
    other.

    Source: `unpaired_effect` on run values; a prediction interval for a single run; Holm; two one-sided tests for
    "same" (docs/adr/0022-duels.md).
    """
    measured = [_measured(metric, baseline, candidate) for metric in metrics]
    gates = [each for each in measured if each.metric.gates]
    adjusted = iter(holm([each.effect.p if each.effect and each.metric.better else 1.0 for each in gates]))
    judged = [_judged(each, next(adjusted)) if each.metric.gates else each for each in measured]
    return StoredComparison(overall([each.word for each in judged if each.word]), tuple(judged))


def _measured(metric: ComparedMetric, baseline: Sequence[StoredRun], candidate: Sequence[StoredRun]) -> StoredJudgement:
    before, after = ([run for run in side if metric.name in run.values] for side in (baseline, candidate))
    sides = [[run.values[metric.name] for run in side] for side in (before, after)]
    method = _method(len(before), len(after))
    effect = _EFFECTS[method](sides[0], sides[1], metric) if method else None
    known = [Side(len(side), len({run.session for run in side})) for side in (before, after)]
    zone = metric.zone(effect.scale) if effect else None
    return StoredJudgement(metric, known[0], known[1], method, effect, zone=zone)


def _method(baseline: int, candidate: int) -> Method | None:
    if min(baseline, candidate) >= _FEWEST_FOR_SPREAD:
        return "unpaired"
    is_single = min(baseline, candidate) == 1
    return "prediction" if is_single and max(baseline, candidate) >= FEWEST_FOR_PREDICTION else None


def _judged(found: StoredJudgement, adjusted: float) -> StoredJudgement:
    """Return a judgement with its word."""
    word: Word = "unknown"
    reason = not_judged(found.metric, found.effect, found.zone) or _why_too_little(found)
    if found.effect and not reason:
        word = word_for(found.effect, adjusted, found.zone, ALPHA)
        if word == "unknown":
            reason = Reason("not_known", "the difference is not known well enough; rounds of both sides tell more")
    return StoredJudgement(**(vars(found) | {"word": word, "reason": reason, "adjusted_p": adjusted}))


def _why_too_little(found: StoredJudgement) -> Reason | None:
    """Return why the runs cannot carry a word, whatever they measured."""
    sides = {"the baseline": found.baseline, "the candidate": found.candidate}
    takes = f"a word takes {FEWEST_RUNS} runs from {FEWEST_SESSIONS} sessions of each side"
    if found.method != "unpaired":
        takes += f", or one run against {FEWEST_FOR_PREDICTION}"
    if found.method == "prediction":
        sides = {name: side for name, side in sides.items() if side.runs > 1}
    lacking = [
        f"{name} has {side.runs} from {side.sessions}" for name, side in sides.items() if not side.can_carry_a_word()
    ]
    return Reason("too_few_runs", f"{takes}; {' and '.join(lacking)}") if lacking else None

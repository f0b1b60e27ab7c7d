"""The course of a duel: round by round a run of each side, in a planned order, and a look when one is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from windtunnel.analysis.comparison.run_values import compared_metrics, run_values
from windtunnel.analysis.differences import find_differences, refuse_hard
from windtunnel.analysis.duel.design import Side as SideName
from windtunnel.analysis.duel.judgement import Judgement, is_look_due, judge
from windtunnel.analysis.duel.rounds import Round as Measured
from windtunnel.analysis.recover import find_plan
from windtunnel.duel.record import DuelRecord, Round, write_duel
from windtunnel.duel.sides import Side
from windtunnel.engines.request import Request
from windtunnel.errors import ExitCode
from windtunnel.run.events import timestamp
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Cause, DuelPart, MetricSummary, RunRecord

Measure = Callable[[Request], RunRecord]
_OTHER: Mapping[SideName, SideName] = {"baseline": "candidate", "candidate": "baseline"}
_MEASURED = {ExitCode.OK, ExitCode.LEFT_BEHIND}


@dataclass(frozen=True)
class Told:
    """Who is told of a duel's course.

    Attributes:
        run: Called before each run, with the round's number, the side, and how often it was tried before.
        round: Called after each round, with what a look says if one was due.
    """

    run: Callable[[int, SideName, int], None]
    round: Callable[[Round, Judgement | None], None]


class Duel:
    """Measures two sides against each other.

    Args:
        record: The duel, new or as it was left.
        sides: Both sides.
        request: Returns a new request for a side.
        measure: Runs one.
        store: Where the duel and its runs are kept.
        allowed: Keys in which a stored baseline may differ from its new runs.
        told: Who is told.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a duel is this much
        self,
        record: DuelRecord,
        sides: Mapping[SideName, Side],
        request: Callable[[Side], Request],
        measure: Measure,
        store: Path,
        allowed: tuple[str, ...],
        told: Told,
    ) -> None:
        self.record, self._sides, self._request, self._measure = record, sides, request, measure
        self._store, self._allowed, self._told = store, allowed, told
        self._design = record.design.to_design()
        (self._job,) = sides["candidate"].plan.jobs
        self._measured = _stored_metrics(record, store)

    def run(self) -> DuelRecord:
        """Do the rounds that are left, until the verdict is known; return what the duel came to.

        Raises:
            UsageError: The duel cannot be written, or the baseline is another one than it was.
        """
        record = self.record
        record.status = "running"
        write_duel(record, self._store)
        while record.verdict is None and record.cause is None and len(record.done) < record.design.rounds:
            done = self._round(len(record.done) + 1)
            if done is None:
                break
            record.done.append(done)
            judgement = self._look()
            write_duel(record, self._store)
            self._told.round(done, judgement)
        self._conclude()
        write_duel(record, self._store)
        return record

    def _round(self, number: int) -> Round | None:
        """Return a round that was done, or lost; None if somebody asked to stop, or nothing can be measured."""
        first = self.record.design.firsts[number - 1]
        found = Round(number=number, first=first)
        for side in (first, _OTHER[first]):
            run = self._run(number, side)
            found.runs[side] = str(run.run_id)
            if run.exit_code == ExitCode.CANCELLED:
                self.record.status, self.record.exit_code = "cancelled", int(ExitCode.CANCELLED)
                return None
            if run.exit_code not in _MEASURED or run.validity == "invalid":
                return self._lose(found, side, run)
            found.values[side] = run_values(run, self._job)
            self._measured.append(run.metrics)
            self.record.units |= {name: summary.unit for name, summary in run.metrics.items()}
        return found

    def _run(self, number: int, side: SideName) -> RunRecord:
        """Return a run of a side; what the platform could not do is tried once more."""
        for attempt in range(2):
            self._told.run(number, side, attempt)
            part = DuelPart(id=self.record.duel_id, side=side, round=number)
            run = self._measure(replace(self._request(self._sides[side]), duel=part))
            if run.exit_code != ExitCode.PLATFORM:
                break
        if side == "baseline" and number == 1 and run.exit_code in _MEASURED:
            self._check_baseline(run)
        return run

    def _check_baseline(self, run: RunRecord) -> None:
        """Refuse a baseline that was made again and is not what it was (UsageError)."""
        recorded = self._sides["baseline"].recorded
        if recorded is None:
            return
        found = find_differences(recorded, RunFolder(Path(run.path or "")))
        refuse_hard(found, self._allowed, "the baseline is not what it was; allow by name what does not matter")
        self.record.differences = [str(each) for each in found]

    def _lose(self, found: Round, side: SideName, run: RunRecord) -> Round | None:
        """Return a round that does not count; the first one's failure is the duel's: there is nothing to compare."""
        cause = run.cause or Cause(code="invalid", message="; ".join(run.reasons) or "its numbers mean nothing")
        if found.number == 1:
            self.record.cause = cause.model_copy(
                update={"message": f"the {side} could not be measured: {cause.message}"}
            )
            self.record.exit_code = run.exit_code or int(ExitCode.INVALID)
            return None
        found.values, found.lost = {}, f"the {side}: {cause.message}"
        return found

    def _look(self) -> Judgement | None:
        """Judge what there is, if a look is due."""
        record, rounds = self.record, _rounds(self.record)
        metrics = compared_metrics(self._measured, self._job)
        if not is_look_due(self._design, metrics, rounds):
            return None
        judgement = judge(self._design, metrics, rounds)
        record.judgement = judgement.to_json()
        if judgement.is_final:
            record.verdict = judgement.word
        return judgement

    def _conclude(self) -> None:
        record = self.record
        record.finished = timestamp(time.time())
        if record.cause:
            record.status = "failed"
        elif record.verdict:
            record.status = "succeeded"
            record.exit_code = int(ExitCode.WORSE if record.verdict == "worse" else ExitCode.OK)


def last_judgement(record: DuelRecord, store: Path) -> Judgement | None:
    """Return what the last look of a stored duel said; None if there was none, or if its runs are gone."""
    runs = [run for each in record.done for run in each.runs.values()]
    plan = next((plan for run in runs if (plan := find_plan(RunFolder(store / run))[0])), None)
    if plan is None or record.judgement is None:
        return None
    (job,) = plan.jobs
    design, rounds = record.design.to_design(), _rounds(record)
    metrics = compared_metrics(_stored_metrics(record, store), job)
    due = [number for number in range(1, len(rounds) + 1) if is_look_due(design, metrics, rounds[:number])]
    return judge(design, metrics, rounds[: due[-1]]) if due else None


def _rounds(record: DuelRecord) -> list[Measured]:
    return [
        Measured(each.number, each.values.get("baseline", {}), each.values.get("candidate", {}), each.lost)
        for each in record.done
    ]


def _stored_metrics(record: DuelRecord, store: Path) -> list[Mapping[str, MetricSummary]]:
    """Return what the runs of a duel measured whose rounds count."""
    runs = (run for each in record.done if each.lost is None for run in each.runs.values())
    return [RunFolder(store / run).read_record().metrics for run in runs]

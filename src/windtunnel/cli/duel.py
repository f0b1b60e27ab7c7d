"""`run --against`: a duel of a benchmark file with a baseline."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.output import echo, print_err, print_json, shorten
from windtunnel.cli.reports import write_duel_report
from windtunnel.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from windtunnel.analysis.duel.design import Side as SideName
    from windtunnel.analysis.duel.judgement import Judgement
    from windtunnel.duel.record import DuelRecord, Round
    from windtunnel.duel.sides import Side
    from windtunnel.engines.request import Request
    from windtunnel.run.record import RunRecord

FEWEST_ROUNDS = 5
DEFAULT_ROUNDS = 20
_MOST_SEED = 2**31
_STDOUT = Path("-")


def _option(text: str, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="Duel with a baseline", **more)


AgainstOption = Annotated[
    str | None,
    _option("Measure a baseline, too, in turn with it: a benchmark file, or a stored run.", metavar="BASELINE"),
]
RoundsOption = Annotated[
    int | None, _option(f"How many rounds at most; {DEFAULT_ROUNDS} unless said.", min=FEWEST_ROUNDS)
]
FixedOption = Annotated[bool, _option("Look once, after all rounds; else after 5, 8, 12, 20, and so on.")]
SeedOption = Annotated[int | None, _option("What the order of the two follows from.", min=0)]
ResumeOption = Annotated[str | None, _option("Go on with a duel or a sweep that was ended, by its id.", metavar="ID")]
AllowOption = Annotated[
    list[str] | None, _option("In what a stored baseline may differ from what it was.", metavar="KEY")
]
MarkdownOption = Annotated[
    Path | None, _option("Write the duel as Markdown to a file; - is standard output.", metavar="FILE")
]


@dataclass(frozen=True)
class DuelOptions:
    """What is asked for of a duel, beside what is asked for of its runs.

    Attributes:
        against: The baseline: a benchmark file, or a stored run.
        rounds: How many there are at most.
        is_fixed: Whether there is one look, after all of them.
        seed: What the order of sides follows from; None for any.
        resume: The duel that goes on.
        allowed: Keys in which a stored baseline may differ from its new runs.
        is_strict: Whether an unknown verdict is a failure.
        as_json: Whether the result is printed as JSON.
        markdown: Where it is written as Markdown.
        is_reported: Whether it has a report.
    """

    against: str
    rounds: int | None
    is_fixed: bool
    seed: int | None
    resume: str | None
    allowed: tuple[str, ...]
    is_strict: bool
    as_json: bool
    markdown: Path | None
    is_reported: bool


def run_duel(
    options: DuelOptions,
    sides: dict[SideName, Side],
    request: Callable[[Side], Request],
    measure: Callable[[Request], RunRecord],
    engine: str,
) -> int:
    """Run a duel, show it, and return its exit code.

    Raises:
        UsageError: It cannot begin, or cannot go on.
    """
    from windtunnel.duel.course import Duel, Told
    from windtunnel.duel.foresight import foresee
    from windtunnel.duel.sides import check_alike

    check_alike(sides["baseline"], sides["candidate"])
    first = request(sides["candidate"])
    if first.remote is not None:
        raise UsageError("a duel is kept in a folder; give one with --set output.store=runs")
    record = _record(options, sides, first, engine)
    if not record.done:
        (job,) = sides["candidate"].plan.jobs
        for line in foresee(record, first.store, job):
            print_err(line, "cyan")
    shown = _Shown(record)
    told = Told(shown.tell_run, shown.tell_round)
    found = Duel(record, sides, request, measure, first.store, options.allowed, told).run()
    if options.is_strict and found.verdict == "unknown":
        found.exit_code = int(ExitCode.UNKNOWN)
    shown.show(found, options, first.store)
    if options.is_reported:
        write_duel_report(found, first.store, err=options.as_json)
    return int(ExitCode.CANCELLED) if found.exit_code is None else found.exit_code


class _Shown:
    """Shows a duel on a terminal as it goes on."""

    def __init__(self, record: DuelRecord) -> None:
        self._record = record
        self._judgement: Judgement | None = None

    def tell_run(self, number: int, side: SideName, attempt: int) -> None:
        """Tell which run begins."""
        again = ", once more" if attempt else ""
        print_err(f"round {number} of {self._record.design.rounds}: {side}{again}", "bold")

    def tell_round(self, done: Round, judgement: Judgement | None) -> None:
        """Tell what came of a round, and of the look at its end."""
        if done.lost:
            print_err(f"round {done.number} does not count: {done.lost}", "yellow")
        self._judgement = judgement or self._judgement
        if judgement and not judgement.is_final:
            self._tell(judgement, print_err)

    def _tell(self, judgement: Judgement, tell: Callable[[str], None]) -> None:
        from windtunnel.analysis.comparison.words import in_words

        for found in judgement.metrics:
            tell(f"  {in_words(found, judgement.level, self._record.units)}")

    def show(self, found: DuelRecord, options: DuelOptions, store: Path) -> None:
        """Show what a duel came to."""
        from windtunnel.duel.words import as_markdown, headline

        if options.markdown:
            _write(options.markdown, as_markdown(found, self._judgement))
        if options.markdown == _STDOUT:
            return
        if options.as_json:
            print_json(found.model_dump(mode="json"))
            return
        echo(f"{found.benchmark}  {headline(found, self._judgement)}")
        if self._judgement:
            self._tell(self._judgement, echo)
        echo(f"duel: {shorten(store / found.duel_id)}")
        if found.status == "cancelled":
            echo(f"it goes on with --resume {found.duel_id}")


def _record(options: DuelOptions, sides: dict[SideName, Side], first: Request, engine: str) -> DuelRecord:
    """Return the duel that is to begin, or to go on where it was left."""
    from windtunnel.analysis.duel.design import Design
    from windtunnel.duel.record import DesignRecord, DuelRecord
    from windtunnel.run.events import timestamp
    from windtunnel.run.folder import new_run_id

    if options.resume:
        return _resumed(options, sides, first.store)
    seed = random.randrange(_MOST_SEED) if options.seed is None else options.seed  # noqa: S311 - no secret
    design = Design(options.rounds or DEFAULT_ROUNDS, seed, is_fixed=options.is_fixed)
    benchmark = first.plan.benchmark
    return DuelRecord(
        duel_id=f"{new_run_id(benchmark)}-duel",
        benchmark=benchmark,
        backend=first.backend.name,
        engine=engine,
        started=timestamp(time.time()),
        design=DesignRecord.model_validate(design.to_json()),
        sides={name: side.contender() for name, side in sides.items()},
    )


def _resumed(options: DuelOptions, sides: dict[SideName, Side], store: Path) -> DuelRecord:
    """Return the duel that goes on (UsageError if these are not its sides, or another plan is asked for)."""
    from windtunnel.duel.record import read_duel

    found = read_duel(str(options.resume), store)
    if found.verdict:
        raise UsageError(f"--resume {found.duel_id}: it is over, and its verdict is {found.verdict}")
    for name, side in sides.items():
        if found.sides[name].plan_digest != side.digest:
            raise UsageError(f"--resume {found.duel_id}: its {name} was another one: {found.sides[name].source}")
    if options.rounds not in {None, found.design.rounds} or options.seed not in {None, found.design.seed}:
        planned = f"{found.design.rounds} rounds and seed {found.design.seed}"
        raise UsageError(f"--resume {found.duel_id}: it was planned with {planned}")
    return found.model_copy(update={"cause": None, "exit_code": None})


def _write(path: Path, text: str) -> None:
    if path == _STDOUT:
        echo(text.rstrip())
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--markdown {path}: {error.strerror}") from None

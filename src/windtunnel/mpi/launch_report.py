"""What a launch found out, as its script wrote it down. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from windtunnel.mpi.launch_script import Order

STAGES = {
    "not_resolved": "its name is not known",
    "refused": "no connection to its sshd",
    "denied": "it does not let the launcher in",
    "no_mpi": "no such MPI there",
    "other_mpi": "another version of MPI there",
}
"""How far the launcher came with a host that it did not reach, in words."""
_HUNDREDTHS = 100.0


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What came of the launcher's tries to reach a host.

    Attributes:
        stage: ``ok``, or one of `STAGES`.
        seconds: When that was known, since the first try.
        words: What ssh or the host said.
    """

    stage: str
    seconds: float
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class RankEnd:
    """How a rank ended that began.

    Attributes:
        host: The host that it was on; ``-`` for where the launcher is.
        status: What its program ended with, 128 + N for signal N; None if that was not seen.
        missing: The program that is not there.
        moment: When it ended, in whole seconds of its host's clock; 0 if that was not seen.
        foreign: The library of another MPI than the launcher's that the program loaded, if it was seen to.
        asked: Whether the launcher had asked it to end, such as for another rank's failure.
    """

    host: str
    status: int | None = None
    missing: str | None = None
    moment: int = 0
    foreign: str | None = None
    asked: bool = False


@dataclass(frozen=True, kw_only=True)
class LaunchReport:
    """The facts of a launch; those of phases that it did not come to are None or empty.

    Attributes:
        order: What was to be launched.
        version: That of the launcher's MPI.
        unsupported: What is there instead of the launcher asked for.
        missing: The program that the launcher's image lacks.
        reached: What came of reaching each host, by its name.
        barrier: Seconds until all hosts were reached.
        census: Where the launcher put each rank when it was asked.
        census_status: What it ended with then.
        census_seconds: How long that took.
        census_words: What it wrote to standard error then.
        run_status: What it ended with when it ran the program.
        run_seconds: How long that took.
        ranks: How each rank ended that began.
        left: The names of processes that ranks left behind on a host, and that were ended there.
        stopped: Whether the launch was asked to end (SIGTERM) before it was over.
        unreadable: The hosts where something else stands than a file of measurements.
        lost: The hosts that did not say how their ranks ended, with ssh's words.
    """

    order: Order
    version: str | None = None
    unsupported: str | None = None
    missing: str | None = None
    reached: dict[str, Reached] = field(default_factory=dict)
    barrier: float | None = None
    census: dict[int, str] = field(default_factory=dict)
    census_status: int | None = None
    census_seconds: float | None = None
    census_words: str = ""
    run_status: int | None = None
    run_seconds: float | None = None
    ranks: dict[int, RankEnd] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    stopped: bool = False
    unreadable: tuple[str, ...] = ()
    lost: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, order: Order) -> Self:
        """Return the report that a script wrote, as far as it came.

        Args:
            text: The content of ``launch.tsv``.
            order: What was to be launched.
        """
        facts: dict[str, list[list[str]]] = {}
        # What follows the last line feed was being written when the script ended.
        for line in text.split("\n")[:-1]:
            word, *fields = line.split("\t")
            facts.setdefault(word, []).append(fields)
        version, unsupported, missing = (
            facts.get(word, [[None]])[0][0] for word in ("version", "unsupported", "missing")
        )
        status, took, words = facts.get("census", [[None, None, ""]])[0]
        left: dict[str, list[str]] = {}
        for host, *name in facts.get("left", ()):
            left.setdefault(host, []).append(" ".join(name))
        run_status, run_took = facts.get("run", [[None, None]])[0]
        return cls(
            order=order,
            version=version,
            unsupported=unsupported,
            missing=missing,
            reached={
                host: Reached(stage=stage, seconds=int(after) / _HUNDREDTHS, words=said)
                for host, stage, after, said in facts.get("host", ())
            },
            barrier=_seconds(facts.get("barrier", [[None]])[0][0]),
            census={int(rank): host for rank, host in facts.get("placed", ())},
            census_status=None if status is None else int(status),
            census_seconds=_seconds(took),
            census_words=words or "",
            run_status=None if run_status is None else int(run_status),
            run_seconds=_seconds(run_took),
            ranks=_ranks(facts.get("rank", ())),
            left=left,
            stopped="stopped" in facts,
            unreadable=tuple(host for host, *_rest in facts.get("unreadable", ())),
            lost=dict(facts.get("lost", ())),
        )


def _seconds(hundredths: str | None) -> float | None:
    return None if hundredths is None else int(hundredths) / _HUNDREDTHS


def _ranks(facts: Sequence[Sequence[str]]) -> dict[int, RankEnd]:
    """Return how ranks ended, of what each noted: that it began, then what came of it."""
    ends: dict[int, RankEnd] = {}
    for number, host, what, *fields in facts:
        # A launcher that numbers nothing starts no ranks.
        if not number.isdecimal():
            continue
        end = ends.get(int(number), RankEnd(host=host))
        match what, fields:
            case "ended", [status, moment, asked]:
                end = replace(end, status=int(status), moment=int(moment), asked=asked == "yes")
            case "missing", [program]:
                end = replace(end, missing=program)
            case "foreign", [library]:
                end = replace(end, foreign=library)
        ends[int(number)] = end
    return ends

"""The cells of a matrix in one workflow: which one a pod is of, and what is asked of all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windtunnel.benchmark import Loaded
from windtunnel.errors import UsageError
from windtunnel.plan import Plan

CELL, CELLS = "WINDTUNNEL_CELL", "WINDTUNNEL_CELLS"
"""Variables of a pod: the number of its cell, from 1, and how many there are."""
LONGEST_NAME = 37
"""Characters of a benchmark's name in the ids of its runs: with all that follows they are labels."""
MOST_CELLS = 50
"""How many runs a workflow may have: it is one object of the API, and their records are annotations of it."""
_MOST_BYTES = 500_000
"""How long its clients' pods may be, described for each iteration, of which Argo keeps what each was made of."""
Sweep = Sequence[tuple[Loaded, Plan]]
"""The benchmarks of a matrix with their plans; of a file without one there is one."""


@dataclass(frozen=True)
class Cell:
    """One of a matrix's combinations.

    Attributes:
        number: Which, from 1.
        count: How many there are.
    """

    number: int
    count: int

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Cell | None:
        """Return the cell that a pod is of, by its variables; None if its workflow has one run."""
        number = variables.get(CELL)
        return cls(int(number), int(variables[CELLS])) if number else None

    def choose(self, benchmarks: Sequence[Loaded]) -> Loaded:
        """Return the benchmark of this cell (UsageError if the matrix is none of so many cells)."""
        if len(benchmarks) != self.count or not benchmarks[0].combination:
            raise UsageError(
                f"its matrix has {len(benchmarks)} runs, and this workflow was made for {self.count}:"
                " render or submit the benchmark again"
            )
        return benchmarks[self.number - 1]


def number_of(cell: Cell | None) -> int | None:
    """Return which cell it is; None of a workflow with one run."""
    return cell.number if cell else None


def task_name(number: int) -> str:
    """Return what the part of a workflow is called that runs a cell."""
    return f"run-{number}"


def run_suffix(number: int) -> str:
    """Return what the ids of a cell's runs end with."""
    return f"-{number}"


def sweep_of(run_id: str, number: int) -> str:
    """Return the id of the matrix that a cell's run is of."""
    return run_id.removesuffix(run_suffix(number))


def is_of_cell(run_id: str, number: int) -> bool:
    """Tell whether a workflow's run is that of a cell."""
    return run_id.endswith(run_suffix(number))


def check_sweep(sweep: Sweep) -> None:
    """Refuse a matrix whose runs one workflow cannot have (UsageError)."""
    if len(sweep) > MOST_CELLS:
        raise UsageError(
            f"matrix: {len(sweep)} runs, and a workflow has {MOST_CELLS} at most; take some of its values out (then"
            " submit it again with the others), or use windtunnel run --backend kubernetes"
        )
    (_first, plan), *others = sweep
    for _loaded, other in others:
        if (other.strategy, other.inputs) != (plan.strategy, plan.inputs):
            raise UsageError("matrix: the runs of one workflow have one strategy, and the same inputs")


def check_length(planned: Sequence[Mapping[str, str]]) -> None:
    """Refuse a matrix whose clients' pods are too much for one workflow (UsageError)."""
    pods = sum(len(each["patch"]) * (each["iterations"].count(",") + 4) for each in planned)
    if pods > _MOST_BYTES and len(planned) > 1:
        raise UsageError(
            f"matrix: its {len(planned)} runs with all of their iterations are too much for one workflow"
            f" ({pods} bytes of descriptions, {_MOST_BYTES} at most); submit a part of its values at a time"
        )

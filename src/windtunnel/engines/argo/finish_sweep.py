"""The verdict of a matrix's workflow: of all its runs, in their order, the first that is not well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.engines.argo.causes import leave, words_of
from windtunnel.engines.argo.cells import sweep_of
from windtunnel.engines.argo.judging import judge, remove, status_of, unrecorded
from windtunnel.engines.argo.outputs import write_verdict
from windtunnel.engines.argo.status import read_record, run_of, verdict_labels
from windtunnel.engines.argo.workflow import change
from windtunnel.errors import ExitCode

_WORST = ("invalid", "suspect", "valid")


@dataclass(frozen=True)
class Verdict:
    """What became of a cell.

    Attributes:
        run: Its run's id, if it began one.
        status: Its status.
        validity: Its validity, if it has measured.
        code: Its exit code.
        cause: Why that is not 0.
    """

    run: str | None
    status: str
    validity: str | None
    code: int
    cause: str


def conclude_sweep(cluster: Cluster, found: dict[str, Any], cells: int, failure: str | None) -> int:
    """Remove what is left of a matrix's runs, and tell the verdict; return the exit code.

    Args:
        cluster: The cluster.
        found: The workflow, whose drivers have ended.
        cells: How many runs there are.
        failure: What Argo says of the first pod that failed, if one did.
    """
    verdicts = [_verdict_of(cluster, found, cell) for cell in range(1, cells + 1)]
    told = verdict_of_all(verdicts, failure)
    labels = verdict_labels(told.run, told.status, told.validity, told.code)
    change(cluster, found["metadata"]["name"], {"metadata": {"labels": labels}})
    write_verdict(told.run, told.status, told.validity, told.code, told.cause)
    for number, each in enumerate(verdicts, start=1):
        words = f"{each.run or 'not begun'}: {each.status}, {each.validity or 'nothing measured'} {each.cause}"
        sys.stdout.write(f"{number} of {cells}  {words.strip()}\n")
    leave(told.cause)
    return told.code


def verdict_of_all(verdicts: Sequence[Verdict], failure: str | None) -> Verdict:
    """Return the verdict of a matrix: the first exit code of its runs that is not 0, as `run` has it.

    Args:
        verdicts: Those of its cells.
        failure: What Argo says of the first pod that failed, if one did.
    """
    measured = [each.validity for each in verdicts if each.validity]
    validity = min(measured, key=_WORST.index, default=None)
    runs = [sweep_of(each.run, cell) for cell, each in enumerate(verdicts, start=1) if each.run]
    sweep = next(iter(runs), None)
    for cell, each in enumerate(verdicts, start=1):
        if each.code:
            return Verdict(sweep, each.status, validity, each.code, f"run {cell} of {len(verdicts)}: {each.cause}")
    if failure:
        return Verdict(sweep, "succeeded", validity, int(ExitCode.PLATFORM), words_of("workflow_failed", failure))
    return Verdict(sweep, "succeeded", validity, 0, "")


def _verdict_of(cluster: Cluster, found: dict[str, Any], cell: int) -> Verdict:
    run, record = run_of(found, cell), read_record(found, cell)
    left = remove(cluster, run) if run else []
    if record is None:
        error = unrecorded(found, cell)
        return Verdict(run, status_of(error), None, int(error.exit_code), words_of(error.code, error.message))
    return Verdict(run, record.status, record.validity, *judge(record, left, None))

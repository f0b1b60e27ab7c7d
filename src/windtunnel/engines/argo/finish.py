"""The pod `finish`, which there is unless the driver has told that all is well.

It looks that nothing is left, and tells the verdict.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster, connect
from windtunnel.engines.argo.causes import as_known, failure_of, leave, words_of
from windtunnel.engines.argo.cells import CELLS
from windtunnel.engines.argo.finish_sweep import conclude_sweep
from windtunnel.engines.argo.judging import judge, remove, status_of, unrecorded
from windtunnel.engines.argo.labels import EXIT_CODE
from windtunnel.engines.argo.nodes import explain
from windtunnel.engines.argo.outputs import write_verdict
from windtunnel.engines.argo.status import read_record, run_of, write_lost
from windtunnel.engines.argo.workflow import change, drives, read
from windtunnel.run.record import RunRecord

DRIVER_SECONDS = 800.0
"""How long the driver may take to end, and to store what was measured, after the workflow was stopped."""
_LOOK_SECONDS = 0.5


def finish() -> int:
    """Wait for the driver's word, remove what is left, and return the run's exit code (WindtunnelError)."""
    cluster, name = connect(), os.environ["WINDTUNNEL_WORKFLOW"]
    try:
        if cells := os.environ.get(CELLS):
            failure = failure_of(os.environ.get("WINDTUNNEL_FAILURES", ""))
            return conclude_sweep(cluster, _await_word(cluster, name), int(cells), failure)
        return _conclude(cluster, name)
    except Exception as error:
        known = as_known(error)
        explain(cluster, name, words_of(known.code, known.message))
        raise


def _conclude(cluster: Cluster, name: str) -> int:
    """Tell the verdict: its outputs, its labels, and why the workflow failed; return the exit code."""
    found = _await_word(cluster, name)
    run, record = run_of(found), read_record(found)
    left = remove(cluster, run) if run else []
    failure = failure_of(os.environ.get("WINDTUNNEL_FAILURES", ""))
    if record is None:
        error = unrecorded(found, failure=failure)
        status, code, cause = status_of(error), int(error.exit_code), words_of(error.code, error.message)
        write_verdict(run, status, None, code, cause)
        explain(cluster, name, cause)
        write_lost(cluster, name, run, status, code)
        sys.stderr.write(f"{error.message}\n")
        leave(cause)
        return code
    code, cause = judge(record, left, failure)
    if code:
        explain(cluster, name, cause)
    if code != record.exit_code:
        change(cluster, name, {"metadata": {"labels": {EXIT_CODE: str(code)}}})
    write_verdict(run, record.status, record.validity, code, cause)
    _say(record, left)
    leave(cause)
    return code


def _say(record: RunRecord, left: list[str]) -> None:
    sys.stdout.write(f"{record.run_id}: {record.status}, {record.validity or 'nothing measured'}\n")
    for metric, summary in record.metrics.items():
        sys.stdout.write(f"  {metric}: {summary.mean:g} {summary.unit} (n = {summary.n})\n")
    if record.cause:
        sys.stdout.write(f"  {record.cause.code}: {record.cause.message}\n")
    for each in left:
        sys.stdout.write(f"  left behind: {each}\n")


def _await_word(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return the workflow once its driver has ended, and has told what became of the run, or never will.

    Of two pods Argo keeps the outputs that it learns of last, and a driver that was stopped may have none.
    """
    deadline = time.monotonic() + DRIVER_SECONDS
    while drives(cluster, name) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return read(cluster, name)

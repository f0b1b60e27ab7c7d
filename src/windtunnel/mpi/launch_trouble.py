"""What was wrong with a launch, of what its report says. The launcher's status alone is no evidence of anything."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from itertools import groupby

from windtunnel.errors import BenchmarkFailed, InvalidResult, PlatformError, WindtunnelError
from windtunnel.mpi.launch_report import STAGES, LaunchReport, RankEnd

_SIGNALLED = 128
_NAMES = {"openmpi": "Open MPI", "mpich": "MPICH", "intel": "Intel MPI"}


def find_trouble(report: LaunchReport, step: str) -> WindtunnelError | None:
    """Return what was wrong, None if nothing was, or if the launch was asked to end.

    Whether a member died is not known here.

    Args:
        report: What the launch found out.
        step: The launcher's step.
    """
    if report.stopped:
        return None
    for look in (_image, _barrier, _census, _programs, _foreign, _lost, _ranks, _end, _measurements):
        if error := look(report):
            error.step = step
            return error
    return None


def _image(report: LaunchReport) -> WindtunnelError | None:
    """Return what the launcher's image lacks."""
    if report.unsupported is not None:
        name = _NAMES[report.order.implementation]
        message = f"the launcher's image has no {name} that is known here: {report.unsupported}"
        return PlatformError(message, code="mpi_unsupported")
    if report.missing is not None:
        return PlatformError(f"the launcher's image has no {report.missing}; install it there", code="mpi_refused")
    return None


def _barrier(report: LaunchReport) -> WindtunnelError | None:
    failed = {host: each for host, each in report.reached.items() if each.stage != "ok"}
    if not failed:
        return None
    told = "; ".join(
        f"{host}: {each.stage}, {STAGES[each.stage]} after {each.seconds:.1f} s ({each.words})"
        for host, each in failed.items()
    )
    message = f"the launcher reached {len(report.reached) - len(failed)} of {len(report.reached)} workers: {told}"
    return PlatformError(message, code="gang_not_reached")


def _census(report: LaunchReport) -> WindtunnelError | None:
    if report.census_status:
        name = f"{_NAMES[report.order.implementation]} {report.version}"
        words = tuple(report.census_words.splitlines())
        message = f"{name} does not start ranks: its status is {report.census_status}"
        if (report.census_seconds or 0) >= report.order.within:
            message = f"{name} does not start ranks within {report.order.within:g} s"
        return PlatformError(message, code="mpi_refused", log_tail=words)
    if report.census_status is not None and report.census != report.order.placed:
        planned = _placed(report.order.placed)
        message = f"ranks are elsewhere than planned: {_placed(report.census)}; planned: {planned}"
        return PlatformError(message, code="misplaced")
    if report.run_status is None and not report.ranks:
        return PlatformError("the launcher ended before its program did", code="mpi_refused")
    return None


def _programs(report: LaunchReport) -> WindtunnelError | None:
    for rank, end in sorted(report.ranks.items()):
        if end.missing is not None:
            return PlatformError(f"rank {rank}{_on(end.host)} found no program {end.missing}", code="mpi_refused")
    return None


def _foreign(report: LaunchReport) -> WindtunnelError | None:
    """Return which rank is of another MPI: it sees itself alone, and ends well."""
    for rank, end in sorted(report.ranks.items()):
        if end.foreign is not None:
            name = _NAMES[report.order.implementation]
            message = f"rank {rank}{_on(end.host)} loads {end.foreign}, which is not of {name}, that starts it"
            return InvalidResult(f"{message}: it does not know the other ranks", code="other_mpi")
    return None


def _lost(report: LaunchReport) -> WindtunnelError | None:
    if not report.lost:
        return None
    told = "; ".join(f"{host} ({words})" for host, words in report.lost.items())
    return InvalidResult(f"workers do not say how their ranks ended: {told}", code="worker_lost")


def _ranks(report: LaunchReport) -> WindtunnelError | None:
    """Return which rank failed, of those that were not asked to end, such as for that one's failure."""
    failed = {rank: end for rank, end in report.ranks.items() if end.status}
    culprits = {rank: end for rank, end in failed.items() if not end.asked}
    if not culprits:
        return None
    rank, end = min(culprits.items(), key=_by_guilt)
    message = f"rank {rank}{_on(end.host)} {_ended(end.status)}"
    if others := len(failed) - 1:
        message += f"; {others} more failed after it, or were ended for it"
    return BenchmarkFailed(message, code="rank_failed")


def _end(report: LaunchReport) -> WindtunnelError | None:
    """Return what the launcher itself made of it, where no rank failed."""
    ended = f"mpirun {_ended(report.run_status)}"
    if not report.ranks:
        return PlatformError(f"{ended} before any rank began", code="mpi_refused")
    if surplus := sorted(set(report.ranks) - set(range(report.order.ranks))):
        message = f"{report.order.ranks} ranks are planned, and there was a rank {_ranges(surplus)}, too"
        return InvalidResult(message, code="rank_surplus")
    ends = {rank for rank, end in report.ranks.items() if end.status == 0}
    silent = _ranges(sorted(set(range(report.order.ranks)) - ends))
    if report.run_status and silent:
        return BenchmarkFailed(f"{ended}, and ended rank {silent}", code="launcher_failed")
    if report.run_status:
        return BenchmarkFailed(f"{ended}, although every rank ended with status 0", code="launcher_failed")
    if silent:
        return InvalidResult(f"{ended}, and nobody saw the end of rank {silent}", code="rank_lost")
    return None


def _measurements(report: LaunchReport) -> WindtunnelError | None:
    if not report.unreadable:
        return None
    message = f"$WINDTUNNEL_METRICS of {', '.join(report.unreadable)} cannot be read: what stands there is no file"
    return InvalidResult(message, code="unreadable_output")


def _by_guilt(item: tuple[int, RankEnd]) -> tuple[bool, int, int]:
    """Order ranks by who is the likelier cause: the launcher ends the others, some by SIGKILL."""
    rank, end = item
    return (end.status or 0) > _SIGNALLED, end.moment, rank


def _ended(status: int | None) -> str:
    number = (status or 0) - _SIGNALLED
    if number in signal.valid_signals():
        return f"was ended by {signal.Signals(number).name}"
    return f"exited with status {status}"


def _on(host: str) -> str:
    return "" if host == "-" else f" on {host}"


def _placed(census: Mapping[int, str]) -> str:
    """Return which ranks are where, in words, such as ``gang-0: 0-1; gang-1: 2``."""
    hosts: dict[str, list[int]] = {}
    for rank, host in sorted(census.items()):
        hosts.setdefault("the launcher's own place" if host == "-" else host, []).append(rank)
    return "; ".join(f"{host}: {_ranges(ranks)}" for host, ranks in hosts.items()) or "none is anywhere"


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers in words, such as ``0-3, 5``."""
    runs = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ", ".join(runs)

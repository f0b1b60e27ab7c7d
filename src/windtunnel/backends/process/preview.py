"""What the process backend would start, as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from windtunnel.backends.base import Launch
from windtunnel.backends.preview import Document, Draft, describe_unit, port_of
from windtunnel.backends.process.sites import processes_of, site_of
from windtunnel.backends.tracing import RAW, traced_command
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.plan import Step

_RUN, _PYTHON, _PATH = PurePosixPath("<run>"), PurePosixPath("<python>"), "<path>"


def preview(draft: Draft) -> Iterator[Document]:
    """Yield the processes of a plan; the environment of each is what it has beside this process's own."""
    draft.notes.append(f"{_RUN} stands for the run's folder")
    if any(step.program.requirements for step in draft.plan.steps):
        draft.notes.append(f"{_PYTHON} stands for a step's Python environment, and {_PATH} for this machine's PATH")
    for units in draft.starts(_site, _environment):
        for unit in units:
            yield describe_unit(unit) | {"command": _command(unit)} | _inputs(draft)


def _site(launch: Launch[Any]) -> Site:
    return site_of(_RUN, launch.label, port_of(launch), processes_of(launch))


def _environment(_step: Step) -> Environment:
    return Environment(_PYTHON, _PATH)


def _command(unit: Unit) -> list[str]:
    argv = list(unit.argv)
    record = PurePosixPath(unit.site.out).with_name(RAW)
    return traced_command(["strace"], record, argv) if unit.program.trace else argv


def _inputs(draft: Draft) -> Document:
    return {"inputs": {item.path: item.src for item in draft.plan.inputs}} if draft.plan.inputs else {}

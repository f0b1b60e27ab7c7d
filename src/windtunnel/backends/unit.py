"""A unit is what a platform is asked to run: one process, container or pod, with every name replaced. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.pip import with_environment
from windtunnel.plan import Gang, Job, Program, Service
from windtunnel.run.folder import RunFolder
from windtunnel.substitution import substitute


@dataclass(frozen=True)
class Site:
    """Where a start of a step will be, known before it is made.

    Attributes:
        address: Where other steps reach it.
        work: Its working folder, as it sees it.
        out: Where it leaves artifacts.
        metrics: Where it writes measurements.
        others: Where its other members will be, if these have not the same folders as the first.
    """

    address: Address
    work: PurePath
    out: PurePath
    metrics: PurePath
    others: tuple[Site, ...] = ()

    def of(self, number: int) -> Site:
        """Return where the replica or member of a number, from 1, will be."""
        return (self, *self.others)[number - 1] if self.others else self


@dataclass(frozen=True)
class Environment:
    """A step's Python environment.

    Attributes:
        folder: Where the step finds it.
        path: The ``PATH`` by which the step finds programs without it.
    """

    folder: PurePath
    path: str


@dataclass(frozen=True)
class Unit:
    """One process, container or pod as it is to be made.

    Attributes:
        step: The step that it is of.
        iteration: In which iteration; None for a service that lives through all of them.
        number: Which of the step's replicas, from 1.
        site: Where it will be.
        argv: Its command.
        env: What its environment has beside the platform's own.
        files: Path to content; a relative path is below its working folder.
        values: The names that its strings know, with their values.
        installs: Whether it is pip, which installs what its step requires.
        has_keys: Whether there are keys among its files, which go where secrets go.
    """

    step: Service | Job
    iteration: int | None
    number: int
    site: Site
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    installs: bool = False
    has_keys: bool = False

    @property
    def hostname(self) -> str | None:
        """What its host is called, if it is one of several that reach each other; counted from 0, as ranks are."""
        step = self.step
        is_member = isinstance(step, Gang) or (isinstance(step, Job) and bool(step.size) and not self.installs)
        return f"{step.name}-{self.number - 1}" if is_member else None

    @property
    def program(self) -> Program:
        """The step's program, with its resources and its isolation."""
        return self.step.program

    @property
    def label(self) -> str:
        """The name of its folders, such as ``server`` or ``client.2``; that of a replica says which."""
        if self.installs:
            return f"{self.step.name}.requirements"
        label = self.step.name if self.iteration is None else f"{self.step.name}.{self.iteration}"
        return member_label(label, self.number)

    def log(self, folder: RunFolder) -> Path:
        """Return the file that keeps its output; what pip writes is looked through before it is kept."""
        if self.installs:
            return folder.path / "work" / f"{self.label}.log"
        # No step's name has a point in it.
        return folder.log(member_label(self.step.name, self.number), self.iteration)

    def substitute(self, command: tuple[str, ...]) -> list[str]:
        """Return another command of its step, such as a probe's, with every name replaced."""
        return [substitute(word, self.values) for word in command]


def member_label(label: str, number: int) -> str:
    """Return what a replica or member is called, counted from 1: the first one like its step."""
    return label if number == 1 else f"{label}.replica-{number}"


def render(launch: Launch[Any], site: Site, environment: Environment | None = None, number: int = 1) -> Unit:
    """Return the unit of a start of a step, the same on all platforms.

    Args:
        launch: The start.
        site: Where it will be.
        environment: The step's Python environment, if it has one.
        number: Which replica, from 1.
    """
    step: Service | Job = launch.step
    values = launch.names(site.address, site.work, site.out, site.metrics)
    if isinstance(step, Job) and step.size and not launch.installs:
        values |= _rank(step, site.address, number - 1)
    env = {**values, **{name: substitute(text, values) for name, text in step.program.env.items()}}
    argv = [substitute(word, values) for word in step.program.command]
    if environment:
        path = env.get("PATH", environment.path)
        env |= {"PATH": f"{environment.folder / 'bin'}:{path}", "VIRTUAL_ENV": str(environment.folder)}
        argv = with_environment(argv, environment.folder)
    return Unit(
        step=step,
        iteration=launch.iteration,
        number=number,
        site=site,
        argv=tuple(argv),
        env=env,
        files={path: substitute(text, values) for path, text in step.program.files.items()},
        values=values,
    )


def _rank(job: Job, master: Address, number: int) -> dict[str, str]:
    """Return what tells a member of a job who it is, and where the first one is."""
    port = {"MASTER_PORT": str(master.port)} if master.port else {}
    return {"RANK": str(number), "WORLD_SIZE": str(job.size), "MASTER_ADDR": master.host, **port}

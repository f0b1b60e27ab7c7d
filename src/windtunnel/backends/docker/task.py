"""A unit as a container."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from windtunnel.backends.archive import unpack
from windtunnel.backends.base import Address, RunContext, describe_status
from windtunnel.backends.containers import RESULTS
from windtunnel.backends.docker.api import IS_FOLDER, DockerApi, map_errors
from windtunnel.backends.docker.container_fs import ContainerFiles
from windtunnel.backends.docker.daemon import NOT_FOUND, DaemonError
from windtunnel.backends.docker.events import Container
from windtunnel.backends.docker.exec_probes import ask_inside
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.kept_output import KeptOutput
from windtunnel.backends.docker.streams import Command
from windtunnel.backends.docker.usage import ContainerUsage
from windtunnel.backends.platform import Collected, State
from windtunnel.backends.probes import Answer, reach
from windtunnel.backends.unit import Unit
from windtunnel.backends.urgency import HurryError, unhurried
from windtunnel.backends.usage import Reading
from windtunnel.errors import PlatformError


@dataclass(eq=False)
class ContainerTask:
    """A container that runs a unit.

    Attributes:
        unit: What it was made as.
        log: Its output.
        container: What the daemon told of it.
        image: Its image.
        context: The run.
        api: The daemon.
        files: Looks into containers.
        forget: Called when it was removed.
        ip: Its address on the run's network, once it was started.
    """

    unit: Unit
    log: Path
    container: Container
    image: Image
    context: RunContext
    api: DockerApi
    files: ContainerFiles
    forget: Callable[[Container], None]
    ip: str = ""
    _usage: ContainerUsage | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The container's name."""
        return self.container.name

    @property
    def address(self) -> Address:
        """Where this process asks it: names are known only within the run's network."""
        return Address(self.ip, self.unit.site.address.port)

    @property
    def state(self) -> State:
        """How far the container is; it is gone once its output is there."""
        container, status = self.container, self.container.status
        memory = self.unit.program.memory
        words = f"ran out of its memory{f' of {memory / 2**20:g} MiB' if memory else ''}"
        is_short = container.is_out_of_memory
        doubt = f"a process of it was killed, it {words}" if is_short and not container.exit_code else ""
        if status is None:
            return State(doubt=doubt)
        gone = partial(State, "gone", status, container.died_at)
        if container.is_removed:
            problem = "its container was removed by somebody"
            return gone(reason="removed", words="was removed by somebody", problem=problem, doubt=doubt)
        return gone(reason="oom", words=words) if is_short and status else gone(doubt=doubt)

    def begin(self, network: str) -> None:
        """Start the container, which is asked on one of its networks (DaemonError, OSError)."""
        key = self.container.id
        self.api.call("POST", f"/containers/{key}/start")
        facts = self.api.inspect_container(key)
        self.ip = facts["NetworkSettings"]["Networks"][network]["IPAddress"]
        self._usage = ContainerUsage(self.api, key, facts["State"]["Pid"])

    def signal(self, name: str) -> None:
        """Send a signal to the container's command, if that still runs (PlatformError)."""
        self.container.is_ended = True
        if self.container.exit_code is None:
            with map_errors("stopping it", step=self.unit.step.name):
                try:
                    self.api.call("POST", f"/containers/{self.container.id}/kill?signal={name}")
                except DaemonError:
                    return  # it has ended meanwhile, or was removed

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Ask it over the network: from here, or where no packet from here gets in, by a program in the container."""
        if self.unit.program.isolation == "open":
            return reach(kind, self.ip, port, target, seconds)
        asker = self.files.find_asker(self.container.id, self.image, self.unit.step.name)
        return ask_inside(kind, Address(self.ip, port), target, asker, lambda argv: self._run(argv, seconds))

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Run a command in the container."""
        self.check_command(argv[0])
        return self._run(argv, seconds)

    def check_command(self, program: str) -> None:
        """Check that a program can be run in the container (PlatformError if not)."""
        path = self.unit.env.get("PATH", self.image.env["PATH"])
        self.files.check_command(self.container.id, self.image, program, path, self.unit.step.name)

    def _run(self, argv: Sequence[str], seconds: float) -> Answer:
        notifier = self.context.notifier
        with map_errors("running a command in its container", step=self.unit.step.name):
            child = Command(self.api, self.container.id, argv, notifier)
        notifier.wait_patiently(lambda: child.has_ended, seconds)
        if not child.has_ended:
            child.close()
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        last = child.last_line
        end = "ended, nobody knows how" if child.status is None else describe_status(child.status)
        return Answer(ok=child.status == 0, detail=end + (f": {last}" if last else ""))

    def usage(self) -> Reading | None:
        """Return what the container has used since its start; None once it has ended."""
        is_up = self._usage is not None and self.container.exit_code is None
        return self._usage.read() if self._usage and is_up else None

    def collect(self, into: Path) -> Collected:
        """Fetch what it wrote, as much of it as there is time for."""
        others: frozenset[PurePosixPath] = frozenset()
        lacks = []
        output = self.container.output
        if isinstance(output, KeptOutput):
            output.fetch(lambda: self.context.control.is_urgent)
        try:
            others = self._fetch(into)
        except _GoneError as error:
            lacks.append(f"{error}, and with it what it wrote")
        except HurryError:
            words = "what it wrote was fetched in part: somebody is in a hurry"
            self.context.journal.note(words, self.unit.step.name)
        if trouble := output.trouble(is_over=self.container.exit_code is not None):
            lacks.append(trouble)
        return Collected("; ".join(lacks), others)

    def _fetch(self, into: Path) -> frozenset[PurePosixPath]:
        """Copy what it wrote; return the names of what is no file (_GoneError, HurryError: not all could be had)."""
        step = self.unit.step.name
        with ExitStack() as stack:
            with map_errors("fetching what it wrote", step=step):
                try:
                    chunks, stat = stack.enter_context(self.api.fetch_archive(self.container.id, RESULTS))
                except DaemonError as error:
                    if error.status != NOT_FOUND:
                        raise
                    is_there = "no such container" not in str(error).lower()
                    raise _GoneError(f"it removed {RESULTS}" if is_there else "its container is gone") from None
            if not stat["mode"] & IS_FOLDER:
                raise _GoneError(f"it put something else in the place of {RESULTS}")
            try:
                return frozenset(unpack(unhurried(chunks, lambda: self.context.control.is_urgent), into))
            except (OSError, tarfile.TarError) as error:
                reason = getattr(error, "strerror", None) or error
                message = f"{step}: what it wrote cannot be kept: {reason}"
                raise PlatformError(message, code="results_lost", step=step) from None

    def remove(self) -> None:
        """Remove the container with its own volumes."""
        self.forget(self.container)
        try:
            with map_errors("removing it", step=self.unit.step.name):
                self.api.remove_container(self.container.id)
        finally:
            self.container.output.close()


class _GoneError(Exception):
    """What a container's step wrote cannot be had: how that came, in words."""

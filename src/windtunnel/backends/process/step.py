"""One running step of the process backend: its folders, environment and command."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.inputs import place_files
from windtunnel.backends.process.marks import RUN_VARIABLE
from windtunnel.backends.process.warden_client import Child, WardenClient
from windtunnel.backends.requirements import with_environment
from windtunnel.backends.started import StartedStep
from windtunnel.backends.tracing import RAW, traced_command
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Service
from windtunnel.run.folder import RunFolder
from windtunnel.substitution import substitute

LOOPBACK = "127.0.0.1"


@dataclass(eq=False, kw_only=True)
class RunningStep(StartedStep):
    """A step's process tree, where it lives, what is known of its end, and where its system calls are recorded."""

    work: Path
    out: Path
    child: Child
    trace: Path | None

    @property
    def status(self) -> int | None:
        """Its command's exit status, -N for signal N; None while it runs, or if it is not known."""
        return self.child.status

    @property
    def is_daemon(self) -> bool:
        """Whether the command went to the background: it ended well and left processes."""
        return self.child.status == 0 and self.child.left and not self.child.gone

    @property
    def has_ended(self) -> bool:
        """Whether the command, and a daemon that it left, has ended."""
        return self.is_gone or (self.child.status is not None and not self.is_daemon)

    @property
    def is_gone(self) -> bool:
        """Whether the last of its processes has ended."""
        return self.child.gone


class Launcher:
    """Starts the steps of one run below its warden.

    Args:
        folder: The run's folder; steps work in a folder of their own below it.
        warden: What they are started below.
        inputs: Fetched inputs by the path at which each step finds them.
        strace: What records system calls, if a step wants that.

    Attributes:
        environments: The Python environment of each step that has one, by the step's name.
        environment: What all steps have in their environment.
    """

    def __init__(
        self, folder: RunFolder, warden: WardenClient, inputs: Mapping[str, Path], strace: Path | None
    ) -> None:
        self.environments: dict[str, Path] = {}
        self._warden, self._inputs, self._strace = warden, inputs, strace
        self._work, self._logs = folder.path / "work", folder.path / "logs"
        self._work.mkdir(exist_ok=True)
        self._found: dict[tuple[str, str], str | None] = {}
        # The interpreter's own folder first: what is installed beside Windtunnel is found.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self.environment = {**os.environ, "PATH": path, RUN_VARIABLE: folder.run_id}

    def start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        """Make a step's folders and files and start its command.

        Raises:
            PlatformError: A port is taken, or the command does not exist or cannot be run.
        """
        step, label = launch.step, launch.label
        address = Address(LOOPBACK, _choose_ports(step) if isinstance(step, Service) else None)
        work, out = self._work / label, self._work / f"{label}.out"
        metrics, log = self._logs / f"{label}.metrics.jsonl", self._logs / f"{label}.log"
        with _writing(step.name):
            # A step may have taken away the folder that theirs are in.
            work.mkdir(parents=True)
            out.mkdir()
        values = launch.names(address, work, out, metrics)
        own = {name: substitute(text, values) for name, text in step.program.env.items()}
        python = self.environments.get(step.name)
        env = {**self.environment, **values, **own}
        if python:
            env |= {"PATH": f"{python / 'bin'}{os.pathsep}{env['PATH']}", "VIRTUAL_ENV": str(python)}
        files = {path: substitute(text, values) for path, text in step.program.files.items()}
        with _writing(step.name):
            place_files(work, files, self._inputs)
        argv = [substitute(word, values) for word in step.program.command]
        argv = with_environment(argv, python) if python else argv
        trace = self._work / f"{label}.{RAW}" if step.program.trace else None
        if trace:
            argv = self._traced(argv, step.name, work, env, trace)
        child = self.spawn(argv, step.name, work, env, log)
        return RunningStep(
            step=step,
            label=label,
            address=address,
            log=log,
            metrics=metrics,
            env=env,
            values=values,
            work=work,
            out=out,
            child=child,
            trace=trace,
        )

    def spawn(self, argv: list[str], step: str, work: Path, env: Mapping[str, str], output: Path) -> Child:
        """Start a command of a step, found by the step's own PATH.

        Raises:
            PlatformError: It does not exist (``command_not_found``) or cannot be run
                (``command_not_runnable``).
        """
        program = self._resolve(argv[0], step, env)
        with _told(argv[0], step):
            return self._warden.spawn([program, *argv[1:]], work, env, output)

    def _traced(self, argv: list[str], step: str, work: Path, env: Mapping[str, str], record: Path) -> list[str]:
        """Return a command that runs another and records its system calls (PlatformError as by `spawn`)."""
        program = self._resolve(argv[0], step, env)
        # strace would fail in its place, and in its own words.
        with _told(argv[0], step):
            _check_runnable(work / program)
        return traced_command([str(self._strace)], record, [program, *argv[1:]])

    def _resolve(self, program: str, step: str, env: Mapping[str, str]) -> str:
        path = env.get("PATH", os.defpath)
        found = program if "/" in program else self._find(program, path)
        if found is None:
            message = f"{step}: command not found: {program} (looked in PATH={path})"
            raise PlatformError(message, code="command_not_found", step=step)
        return found

    def find(self, program: str) -> str | None:
        """Return where a program is that a step finds by the common PATH, or None."""
        return program if "/" in program else self._find(program, self.environment["PATH"])

    def _find(self, program: str, path: str) -> str | None:
        # Found once a run: looking through PATH costs as much as a tenth of a small step.
        if (program, path) not in self._found:
            self._found[program, path] = shutil.which(program, path=path)
        return self._found[program, path]


@contextmanager
def _told(program: str, step: str) -> Iterator[None]:
    """Turn the reason why a program cannot be started into a PlatformError."""
    try:
        yield
    except FileNotFoundError:
        message, code = f"command not found: {program}", "command_not_found"
    except OSError as error:
        message, code = f"cannot run {program}: {error.strerror}", "command_not_runnable"
    else:
        return
    raise PlatformError(f"{step}: {message}", code=code, step=step)


@contextmanager
def _writing(step: str) -> Iterator[None]:
    """Turn the reason why a step's folders and files cannot be made into a PlatformError."""
    try:
        yield
    except OSError as error:
        message = f"{step}: its folders cannot be made: {error.filename}: {error.strerror}"
        raise PlatformError(message, code="store_failed", step=step) from None


def _check_runnable(program: Path) -> None:
    """Raise the OSError that starting a program would."""
    if program.is_dir() or not os.access(program, os.X_OK):
        number = errno.EACCES if program.exists() else errno.ENOENT
        raise OSError(number, os.strerror(number))


def _choose_ports(service: Service) -> int | None:
    """Return the service's port, a free one for 0, once those that it will be asked on are free too.

    Raises:
        PlatformError: Something listens there already: it would be measured instead.
    """
    probes = (service.ready.probe, service.live.probe if service.live else None)
    for port in {probe.port for probe in probes if probe and probe.port} - {service.port}:
        _claim_port(service.name, port)
    return None if service.port is None else _claim_port(service.name, service.port)


def _claim_port(name: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise PlatformError(
                f"{name}: port {port} cannot be used: {error.strerror};"
                " stop what listens there, or give port = 0 for any free one",
                code="port_taken",
                step=name,
            ) from None
        return int(probe.getsockname()[1])

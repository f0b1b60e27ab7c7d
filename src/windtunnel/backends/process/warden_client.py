"""The driver's side of the warden: spawn, signal and kill below it, and hear what happens."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from windtunnel.backends.agent.channels import Pipe
from windtunnel.backends.agent.client import Client
from windtunnel.backends.agent.spawn import SUPERVISOR, lost_warden, start_warden
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.process.run_marker import find_marked, kill_marked, kill_processes, lives
from windtunnel.errors import PlatformError, WindtunnelError
from windtunnel.run.control import POLL_SECONDS

START_SECONDS = 10.0
REPLY_SECONDS = 10.0
CLOSE_SECONDS = 10.0
URGENT_SECONDS = 0.5
KILL_SECONDS = 0.5


@dataclass
class Child:
    """A process below the warden, and all that it started.

    Attributes:
        pid: The process that was asked for.
        keeper: The process above it, under which all that it started is found.
        status: Its exit status, -N for signal N; None while it runs.
        left: Whether it left processes behind when it exited.
        gone: Whether the last of its processes has ended.
        ended_at: When it exited, by the monotonic clock.
        cpu: Seconds of CPU of all processes that were waited for.
        waited: Seconds that their main threads could have run and had no CPU.
        memory: The largest resident size of one of them, in bytes.
    """

    name: str
    pid: int = 0
    keeper: int = 0
    status: int | None = None
    left: bool = False
    gone: bool = False
    ended_at: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0
    memory: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more; that it is `gone` is told a moment after its exit."""
        return self.gone or (self.status is not None and not self.left)


class WardenClient:
    """A running warden. Any thread may call; one thread of its own reads what it says.

    Args:
        notifier: The run's, which hears of every event.
        run_id: The run below it.
        seconds: When it ends everything at the latest, from now on.
        errors: Where it writes what went wrong.

    Raises:
        PlatformError: The warden could not be started (it needs Linux).
    """

    def __init__(self, notifier: Notifier, run_id: str, seconds: float, errors: Path) -> None:
        self._run_id, self._errors = run_id, errors
        self._notifier = notifier
        self._children: dict[str, Child] = {}
        self._names = itertools.count(1)
        self._is_closed = False
        self._is_lost = False
        self._outliving: list[psutil.Process] = []
        if not sys.platform.startswith("linux"):
            raise PlatformError("the process backend needs Linux (a subreaper and /proc)", code="unsupported_platform")
        self._process = start_warden(SUPERVISOR, seconds, run_id, errors)
        self._pipe = Pipe(self._process)
        self._client = Client(self._pipe, self._hear, "the warden")
        self._reader = notifier.start_thread("warden-events", self._read_all)
        # Keepers hold the event pipe open too, so its end does not tell that the warden is gone.
        self._watcher = notifier.start_thread("warden-watch", self._watch)
        try:
            self._client.await_hello(START_SECONDS)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise PlatformError(f"the warden did not start; see {errors}", code="warden_failed") from None
            raise

    @property
    def pid(self) -> int:
        """The warden's process id."""
        return self._process.pid

    def spawn(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], output: Path) -> Child:
        """Start a command and return it once it runs.

        Args:
            argv: The whole command; the program is a path.
            cwd: Its current folder.
            env: Its whole environment.
            output: File that its output and errors are appended to.

        Raises:
            OSError: It could not be started, with the system's error number.
            PlatformError: The warden is gone.
        """
        child = Child(str(next(self._names)))
        self._children[child.name] = child
        words = {"argv": list(argv), "cwd": str(cwd), "env": dict(env), "output": str(output)}
        answer = self._ask("spawn", name=child.name, **words)
        if "error" in answer:
            del self._children[child.name]
            child.gone = True
            raise OSError(answer["errno"], answer["error"])
        child.pid, child.keeper = answer["pid"], answer["keeper"]
        return child

    def terminate(self, child: Child) -> None:
        """Send SIGTERM to the topmost of a child's processes (itself, while it runs), once to each."""
        self._tell("terminate", name=child.name)

    def kill(self, child: Child) -> None:
        """Send SIGKILL to all of a child's processes."""
        self._tell("kill", name=child.name)

    def wait_gone(self, child: Child, seconds: float) -> bool:
        """Wait until a child and all that it started have ended; tell whether they have."""
        return self.wait_change(lambda: child.gone, seconds)

    def processes(self) -> list[tuple[int, str]]:
        """Return id and name of every process that runs below the warden, keepers left out."""
        if self._is_lost:
            return _names([*(process for process, _run_id in find_marked(self._run_id)), *self._outliving])
        if self._is_closed:
            return _names([*_below(self.pid), *self._outliving])
        return [(pid, name) for pid, name in self._ask("list")["processes"]]

    def close(self, is_urgent: Callable[[], bool] = lambda: False) -> bool:
        """End the warden, and with it everything below; tell whether all is gone. Idempotent.

        Args:
            is_urgent: Whether somebody is in a hurry, asked while the warden is waited for.
        """
        self._is_closed = True
        self._client.close()
        self._process.send_signal(signal.SIGCONT)  # somebody may have stopped it
        began = time.monotonic()
        while self._watcher.is_alive() and time.monotonic() - began < (
            URGENT_SECONDS if is_urgent() else CLOSE_SECONDS
        ):
            self._watcher.join(POLL_SECONDS)
        if self._watcher.is_alive():
            # It cannot end what is below it.
            self._kill()
        self._reader.join(KILL_SECONDS)
        if self._reader.is_alive():
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_SECONDS)
        self._pipe.close_output()
        return not self._outliving

    def _kill(self) -> None:
        """Kill the warden and all below it, and remember what outlives that."""
        found = _below(self.pid)
        self._process.kill()
        self._watcher.join(KILL_SECONDS)
        kill_processes(found)
        self._end_orphans()
        self._outliving = [process for process in found if process.is_running()]

    def _ask(self, deed: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._client.ask(deed, REPLY_SECONDS, **arguments)
        except TimeoutError:
            raise PlatformError("the warden does not answer", code="warden_failed") from None
        except OSError:
            raise self._lost() from None

    def _tell(self, deed: str, **arguments: Any) -> None:
        try:
            self._client.tell(deed, **arguments)
        except OSError:
            raise self._lost() from None

    def _lost(self) -> WindtunnelError:
        return lost_warden(self._process, self._errors, "everything below it was ended")

    def wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, or the warden is lost; tell whether it holds."""
        self._notifier.wait(lambda: condition() or self._is_lost, seconds)
        return condition()

    def check(self) -> None:
        """Raise PlatformError if the warden has ended by itself."""
        # Its end is known before those of its keepers, the last of which closes the event pipe.
        if self._is_lost or (self._process.returncode is not None and not self._is_closed):
            raise self._lost()

    def _hear(self, event: dict[str, Any]) -> None:
        self._apply(event)
        self._notifier.notify()

    def _read_all(self) -> None:
        try:
            self._client.read()
        finally:
            self._is_lost = True
            for child in list(self._children.values()):
                child.gone = True

    def _watch(self) -> None:
        # One that did not end well has ended nothing, also if it was just being closed.
        if self._process.wait() or not self._is_closed:
            self._end_orphans()

    def _end_orphans(self) -> None:
        """Do the work of a warden that was killed: end all below the keepers that it left, and all that is marked."""
        keepers = {child.keeper for child in list(self._children.values()) if child.keeper}
        for keeper in keepers:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(keeper)
                kill_processes([*process.children(recursive=True), process])
        kill_marked(self._run_id)

    def _apply(self, event: dict[str, Any]) -> None:
        child = self._children.get(event["name"])
        if child is None:
            return  # a keeper that ends just after its last child: both tell that it is gone
        child.cpu, child.waited, child.memory = event["cpu"], event["waited"], event["memory"]
        child.ended_at = child.ended_at or time.monotonic()
        if event["event"] == "exited":
            # The status last: with it, all else is known.
            child.left = event["left"]
            child.status = event["status"]
        elif event["event"] == "gone":
            child.gone = True
            del self._children[child.name]


def _below(pid: int) -> list[psutil.Process]:
    """Return every process below `pid`."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _names(processes: Iterable[psutil.Process]) -> list[tuple[int, str]]:
    """Return id and name of each of these processes that lives, once."""
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if lives(process):
                found[process.pid] = process.name()
    return list(found.items())

"""A run's session: starts steps, waits for them, tells how they ended. Written once for all platforms."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.health import Prober
from windtunnel.backends.inputs import fetch_input
from windtunnel.backends.platform import Metered, Platform, ReportsUsage, SharesPod
from windtunnel.backends.results import keep_results
from windtunnel.backends.running import Running
from windtunnel.backends.shutdown import Shutdown
from windtunnel.backends.unit import Unit, render
from windtunnel.backends.usage import UsageSampler
from windtunnel.errors import BenchmarkFailed, InvalidResult, PlatformError
from windtunnel.plan import InputFile, Job, Service
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.events import EventType


class Session:
    """One run on its platforms.

    Args:
        context: The run.
        platform: Where its steps run.
        others: Where steps run that run elsewhere, by the step's name.
    """

    def __init__(self, context: RunContext, platform: Platform, others: Mapping[str, Platform] | None = None) -> None:
        self._context, self._platform, self._others = context, platform, others or {}
        self._platforms = list({id(each): each for each in (platform, *self._others.values())}.values())
        self._folder, self._journal, self._control = context.folder, context.journal, context.control
        self._notifier = context.notifier
        self._prober = Prober(context, self._check)
        self._shutdown = Shutdown(context, self._prober)
        self._usage = UsageSampler(self._control, self._journal.add_usage)
        self._in_client: dict[str, Running] = {}
        self._doubted: set[str] = set()
        self._fetched: dict[str, tuple[Path, str]] = {}

    def _platform_of(self, step: Service | Job) -> Platform:
        return self._others.get(step.name, self._platform)

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs.

        Raises:
            PlatformError: One cannot be had, or is not what it should be.
            TimedOut, Cancelled: As the run's control says.
        """
        for platform in self._platforms:
            platform.share(inputs, self._fetch)

    def _fetch(self, item: InputFile) -> tuple[Path, str]:
        if item.path not in self._fetched:
            # A copy of the run's own: what a step writes to it reaches neither the original nor the cache.
            target = self._folder.path / "work" / "inputs" / str(len(self._fetched))
            context = self._context
            path, digest = fetch_input(item, context.base, self._control, target, context.carried)
            self._fetched[item.path] = path, digest
            self._journal.emit(EventType.INPUT_FETCHED, message=item.src, path=str(path), sha256=digest)
        return self._fetched[item.path]

    def install(self, steps: Sequence[Service | Job]) -> None:
        """Install the Python packages that steps require, for all of their starts, or take them from the user's cache.

        Raises:
            PlatformError: They cannot be installed (``requirements_failed``).
            TimedOut, Cancelled: As the run's control says.
        """
        for step in steps:
            packages, is_kept = self._platform_of(step).install(step)
            # An image may have it all.
            names = [f"{name} {version}" for name, version in sorted(packages.items())] or ["all that it requires"]
            self._journal.emit(
                EventType.REQUIREMENTS_INSTALLED,
                step.name,
                message=", ".join(names),
                packages=packages,
                cached=is_kept,
            )

    def start_service(self, launch: Launch[Service]) -> Running:
        """Start a service, all of its replicas; it need not be ready. One in its client's pod starts with that.

        Raises:
            PlatformError: It cannot be started.
        """
        running = self._prepare(launch)
        if isinstance(running.platform, SharesPod) and launch.step.placement == "same-pod":
            self._in_client[running.name] = running
        else:
            running.tasks = running.platform.start(running.units)
            self._measure(running)
        return running

    def start_job(self, launch: Launch[Job]) -> Running:
        """Start one iteration of a job, and before it the services that share its pod.

        Raises:
            PlatformError: It cannot be started.
        """
        running = self._prepare(launch)
        platform, beside = running.platform, self._beside(launch.step)
        if isinstance(platform, SharesPod) and beside:
            task, others = platform.start_with(running.units[0], [each.units[0] for each in beside])
            running.tasks = [task]
            for each, other in zip(beside, others, strict=True):
                each.tasks = [other]
                each.is_routed = True  # by its client alone, within the pod
                self._prober.watch_liveness(each)
        else:
            running.tasks = platform.start(running.units)
        self._measure(running)
        return running

    def _prepare(self, launch: Launch[Any]) -> Running:
        """Return a start of a step that is rendered and not started."""
        step: Service | Job = launch.step
        platform = self._platform_of(step)
        platform.check()
        site, environment = platform.site(launch), platform.environment_of(step)
        replicas = step.replicas if isinstance(step, Service) else 1
        units: list[Unit] = [render(launch, site, environment, number + 1) for number in range(replicas)]
        return Running(platform, units, self._folder.path / "logs" / f"{launch.label}.metrics.jsonl")

    def _measure(self, running: Running) -> None:
        metered = [task for task in running.tasks if isinstance(task, Metered)]
        if metered:
            self._usage.add(running.units[0].label, running.name, metered)

    def _beside(self, job: Job) -> list[Running]:
        needed = self._context.plan.services_for(job)
        return [self._in_client[each.name] for each in needed if each.name in self._in_client]

    def until_ready(self, handle: Running, others: Sequence[Running]) -> None:
        """Wait until a service answers, while `others` live; from then on it is watched.

        One in its client's pod is asked when that starts.

        Raises:
            PlatformError: It did not in time, or ended; the text has its last answer.
            InvalidResult: One of `others` died.
            TimedOut, Cancelled: As the run's control says.
        """
        running = _own(handle)
        if not running.tasks:
            return
        self._prober.await_ready(running, [_own(other) for other in others])
        self._tell_background([running])
        self._prober.watch_liveness(running)

    def wait(self, job: Running, services: Sequence[Running]) -> int:
        """Wait for the first of: the job's end, a service's death, deadline, cancel.

        Returns:
            The job's exit status; -N when signal N killed it.

        Raises:
            BenchmarkFailed: The job ended for lack of memory (``oom``).
            PlatformError: The job was taken away, or the platform is lost.
            InvalidResult: A service died; the text says how.
            TimedOut, Cancelled: As the run's control says.
        """
        running, watched = _own(job), [_own(service) for service in services]
        try:
            self._await_end(running, watched)
        except BaseException:
            with contextlib.suppress(PlatformError):  # what ended the wait is the cause
                self._read_usage()
            raise
        # Usage of all that ran beside it, too: it is judged before anything is taken down.
        self._read_usage()
        self._tell_doubts([running, *watched])
        words, state = running.end()
        if state.reason == "oom":
            raise running.error(BenchmarkFailed, f"{running.name}{words}", "oom")
        if state.reason:
            # Whatever its status: a load generator may end in order when it is told to, long before it is done.
            raise running.error(PlatformError, f"{running.name}: {state.problem or words.strip()}", state.reason)
        return running.status if running.status is not None else -signal.SIGKILL

    def _await_end(self, running: Running, watched: Sequence[Running]) -> None:
        def has_died() -> bool:
            return any(service.has_ended or service.death for service in watched)

        def is_over() -> bool:
            return running.status is not None or running.is_gone or has_died()

        while not self._notifier.wait(is_over, POLL_SECONDS):
            self._check([])
            self._tell_background(watched)
        if running.status:
            # A client fails because its server died: give that death a moment to be heard.
            self._notifier.wait(has_died, max(platform.latency for platform in self._platforms))
        self._check(watched)

    def _tell_background(self, services: Sequence[Running]) -> None:
        """Tell once of each service that is in the background: its command may end long after it is ready."""
        for running in services:
            if running.is_in_background and not running.is_background_told:
                running.is_background_told = True
                message = "went to the background; in a container it would end: run it in the foreground"
                self._journal.note(message, running.name)

    def _read_usage(self) -> None:
        for platform in self._platforms:
            if isinstance(platform, ReportsUsage):
                platform.read_usage()

    def _tell_doubts(self, steps: Sequence[Running]) -> None:
        """Doubt what is measured with a part of a step missing, such as a worker that the kernel killed."""
        for task in (task for running in steps for task in running.tasks):
            if (doubt := task.state.doubt) and task.unit.label not in self._doubted:
                self._doubted.add(task.unit.label)
                self._journal.doubt(f"{task.unit.step.name}: {doubt}")

    def check(self, services: Sequence[Running]) -> None:
        """Return if the run may go on and the services live.

        Raises:
            InvalidResult: A service died; the text says how.
            TimedOut, Cancelled: As the run's control says.
        """
        self._check([_own(service) for service in services])

    def _check(self, services: Sequence[Running]) -> None:
        for platform in self._platforms:
            platform.check()
        self._control.check()
        for running in services:
            if running.death:
                raise running.death
            if running.has_ended:
                words, state = running.end()
                message = f"{running.name}{words} while it was needed"
                raise running.error(InvalidResult, message, state.reason or "server_died")

    def stop(self, handle: Running) -> None:
        """End a step (stop command, SIGTERM, SIGKILL) and keep what it wrote; again is harmless."""
        running = _own(handle)
        if running.is_stopped:
            return
        running.is_stopped = True
        if self._in_client.pop(running.name, None):
            return  # it has ended with its client, and what it wrote was kept then
        self._usage.sample(running.units[0].label)
        beside = self._beside(running.step) if isinstance(running.step, Job) else []
        if isinstance(running.step, Service):
            self._tell_background([running])
        try:
            self._shutdown.end(running)
            self._usage.remove(running.units[0].label)
            for each in (running, *beside):
                keep_results(each, self._context)
        finally:
            for task in running.tasks:
                task.remove()

    def environment(self) -> dict[str, Any]:
        """Return what the platforms say of themselves, for ``environment.json``; such as versions, images."""
        return {name: fact for platform in self._platforms for name, fact in platform.facts().items()}

    def survivors(self) -> list[str]:
        """Return by name what of this run is still there.

        What the run itself stands on, such as its warden, counts once it was closed.
        """
        return [name for platform in self._platforms for name in platform.left()]

    def created(self) -> int:
        """Return how many resources this run made so far."""
        return sum(platform.created() for platform in self._platforms)

    def close(self) -> None:
        """End everything of the run, the wardens too; again is harmless."""
        with contextlib.ExitStack() as stack:
            for platform in self._platforms:
                stack.callback(platform.close)
            self._usage.close()


def _own(handle: Running) -> Running:
    """Return a step that was started (TypeError if it is none)."""
    if not isinstance(handle, Running):
        msg = f"not a step of this session: {handle!r}"
        raise TypeError(msg)
    return handle

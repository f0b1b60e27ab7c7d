"""A run's session: starts steps, waits for them, tells how they ended. Written once for all platforms."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.backends.base import Launch, RunContext, describe_status
from windtunnel.backends.gangs import Gangs
from windtunnel.backends.health import Prober
from windtunnel.backends.platform import HasGangs, Metered, Platform, ReportsUsage, SharesPod
from windtunnel.backends.preparation import Preparation
from windtunnel.backends.results import keep_results
from windtunnel.backends.running import Running
from windtunnel.backends.shutdown import Shutdown
from windtunnel.backends.unit import Unit, render
from windtunnel.backends.usage import UsageSampler
from windtunnel.errors import BenchmarkFailed, InvalidResult, PlatformError
from windtunnel.plan import Gang, Job, Service, members_of
from windtunnel.run.control import POLL_SECONDS


class Session:
    """One run on its platforms.

    Args:
        context: The run.
        platform: Where its steps run.
        others: Where steps run that run elsewhere, by the step's name.

    Attributes:
        preparation: What is done once, before the first step.
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
        self.gangs = Gangs(context)
        self._doubted: set[str] = set()
        self.preparation = Preparation(context, self._platforms, self._platform_of)

    def _platform_of(self, step: Service | Job) -> Platform:
        return self._others.get(step.name, self._platform)

    def start_service(self, launch: Launch[Service]) -> Running:
        """Start a service, all of its replicas; it need not be ready. One in its client's pod starts with that.

        Raises:
            PlatformError: It cannot be started.
        """
        running = self._prepare(launch)
        if isinstance(running.platform, SharesPod) and launch.step.placement == "same-pod":
            self._in_client[running.name] = running
        elif isinstance(launch.step, Gang) and not isinstance(running.platform, HasGangs):
            pass  # its launcher starts all ranks by itself
        else:
            self._start(running)
        return running

    def _start(self, running: Running) -> None:
        self.gangs.start(running, lambda: self._check([]))
        self._measure(running)

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
            self._measure(running)
        else:
            self._start(running)
        return running

    def _prepare(self, launch: Launch[Any]) -> Running:
        """Return a start of a step that is rendered and not started."""
        step: Service | Job = launch.step
        platform = self._platform_of(step)
        platform.check()
        site, environment = platform.site(launch), platform.environment_of(step)
        units: list[Unit] = [
            self.gangs.equipment.equip(render(launch, site.of(number), environment, number))
            for number in range(1, members_of(step) + 1)
        ]
        return Running(platform, units, self._folder.path / "logs" / f"{launch.label}.metrics.jsonl")

    def values(self, handle: Running) -> dict[str, str]:
        """Return the names under which a service is handed over, with their values."""
        values = handle.address.values(handle.name)
        return values | (self.gangs.equipment.values(handle.step) if isinstance(handle.step, Gang) else {})

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
        running.words = words
        if state.reason == "oom":
            raise running.error(BenchmarkFailed, f"{running.name}{words}", "oom")
        if state.reason:
            # Whatever its status: a load generator may end in order when it is told to, long before it is done.
            has_members = len(running.tasks) > 1 and state.words
            told = words if has_members else f": {state.problem or words.strip()}"
            raise running.error(PlatformError, f"{running.name}{told}", state.reason)
        return running.status if running.status is not None else -signal.SIGKILL

    def _await_end(self, running: Running, watched: Sequence[Running]) -> None:
        def has_died() -> bool:
            return any(service.has_ended or service.death for service in watched)

        def is_over() -> bool:
            return running.is_over or has_died()

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

    def judge(self, job: Running, status: int, services: Sequence[Running]) -> None:
        """Return if a job that was stopped has come to a good end: with status 0, of each of its ranks.

        Raises:
            BenchmarkFailed: It, or one of its ranks, ended with a failure of its own.
            PlatformError: Its launcher started no ranks, or not as planned.
            InvalidResult: A worker was lost.
        """
        running = _own(job)
        if trouble := self.gangs.trouble(running):
            if isinstance(trouble, InvalidResult):
                # The launcher may know it before the platform, which can tell how it came.
                self._notifier.wait(lambda: any(_own(each).has_ended for each in services), running.platform.latency)
                self._check([_own(each) for each in services])
            raise trouble
        if status:
            words = running.words if len(running.tasks) > 1 else f" {describe_status(status)}"
            message = f"{running.name}{words} in iteration {running.iteration}"
            raise running.error(BenchmarkFailed, message, BenchmarkFailed.default_code)

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
                code = "worker_died" if isinstance(running.step, Gang) else "server_died"
                raise running.error(InvalidResult, message, state.reason or code)

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
            self.gangs.learn(running)
        finally:
            for task in running.tasks:
                task.remove()

    def environment(self) -> dict[str, Any]:
        """Return what the platforms say of themselves, for ``environment.json``; such as versions, images."""
        facts = {name: fact for platform in self._platforms for name, fact in platform.facts().items()}
        return facts | self.gangs.facts()

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

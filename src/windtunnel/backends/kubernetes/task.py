"""A unit as a container of a pod: its pod's only one of the benchmark's, or one beside its client's."""

from __future__ import annotations

import itertools
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from windtunnel.backends.base import Address, describe_status
from windtunnel.backends.containers import exit_status, signalled
from windtunnel.backends.kubernetes.api import map_errors
from windtunnel.backends.kubernetes.diagnosis import check_own
from windtunnel.backends.kubernetes.exec_command import run_command
from windtunnel.backends.kubernetes.output import Output, Source
from windtunnel.backends.kubernetes.pod_maker import PodMaker
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.platform import Collected, State
from windtunnel.backends.probes import Answer
from windtunnel.backends.unit import Unit
from windtunnel.backends.urgency import unhurried
from windtunnel.errors import PlatformError
from windtunnel.plan import Service
from windtunnel.run.folder import tail

OUT_OF_MEMORY = "OOMKilled"
FOLLOWED = 16
"""So many replicas of a step have their output followed while they run, a thread and a connection each."""
_ENDS_IN_ORDER = (0, signalled(signal.SIGTERM), signalled(signal.SIGKILL))
"""How containers end that are told to."""


@dataclass(eq=False, kw_only=True)
class PodTask:
    """A container of a step.

    Attributes:
        unit: What it was started as.
        log: Its output.
        pod: The name of its pod.
        container: Its own name in the pod.
        resources: What the run has.
        maker: Made the pod.
        client: The container of its client, if that is in the same pod: its end ends the pod.
        output: What writes its output, once it was started.
        ended_at: When its end was heard, by the monotonic clock; 0 before.
        collect_seconds: How long what it wrote is waited for; None if nothing can come.
        is_pod_kept: Whether its pod is kept until what it wrote was fetched: its removal deletes it then.
    """

    unit: Unit
    log: Path
    pod: str
    container: str
    resources: RunResources
    maker: PodMaker
    client: str | None = None
    output: Output | None = None
    ended_at: float = 0.0
    collect_seconds: float | None = None
    is_pod_kept: bool = False
    _problem: str = field(default="", init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def listen(self) -> None:
        """Hear of its pod from now on."""
        self.resources.watcher.listen(self.pod, self.hear)

    def hear(self) -> None:
        """Take in what was told of its pod: the watch's thread calls this, before others look."""
        view = self.view
        is_over = self._has_ended(view) or self.has_stopped
        if is_over or self._is_followed:
            self.follow()
        if is_over:
            if self.output:
                self.output.finish()
            self.ended_at = self.ended_at or time.monotonic()

    @property
    def _is_followed(self) -> bool:
        """Whether its output is needed while it runs: so many connections would be felt by what is measured."""
        step = self.unit.step
        probes = (step.ready.probe, step.live.probe if step.live else None) if isinstance(step, Service) else ()
        return self.unit.number <= FOLLOWED or any(probe and probe.kind == "log" for probe in probes)

    def follow(self) -> None:
        """Write its output to a file from now on, once it was started."""
        with self._lock:
            if self.output is not None or self._problem or not self.has_started:
                return
            source = Source(self.pod, self.container, self.maker.strip)
            resources = self.resources
            try:
                self.output = Output(resources.cluster, source, self.log, self._is_cut_off, resources.watcher.notifier)
            except OSError as error:  # the thread that hears of pods is not to end by it
                self._problem = f"its output could not be written: {error.strerror}"

    def _is_cut_off(self) -> bool:
        """Tell whether no more output comes."""
        return self.view.is_removed or self.view.terminated(self.container) is not None

    @property
    def name(self) -> str:
        """The name of its pod."""
        return self.pod

    @property
    def address(self) -> Address:
        """Where its step is reached."""
        return self.unit.site.address

    @property
    def view(self) -> PodView:
        """Its pod as it was told last."""
        return self.resources.watcher.view(self.pod)

    @property
    def state(self) -> State:
        """How far it is; what shares its client's pod is released by that one's end."""
        view = self.view
        is_released = self._has_client_ended(view)
        if self.is_over:
            return replace(self._end(view), is_released=is_released)
        if self.is_doomed and (disruption := view.disruption()):
            words = disruption.words
            return State("ended", reason=disruption.code, words=words, problem=f"its pod {words}")
        return State(is_released=is_released)

    def _end(self, view: PodView) -> State:
        """Return how it ended."""
        ended = view.terminated(self.container)
        status = exit_status(int(ended.get("exitCode", 0))) if ended else None
        state = State("gone", status, self.ended_at)
        if ended and ended.get("reason") == OUT_OF_MEMORY:
            memory = self.unit.program.memory
            limit = f" of {memory / 2**20:g} MiB" if memory else ""
            return replace(state, reason="oom", words=f"ran out of its memory{limit}")
        if self.maker.not_found(status, "\n".join(tail(self.log))):
            words = f"command not found: {self.unit.program.command[0]}"
            return replace(state, reason="command_not_found", problem=words)
        if self._was_restarted(view):
            return replace(state, words=f"{describe_status(status or 0)} and was started again")
        if (disruption := view.disruption()) and not self.client:
            words = disruption.words
            return replace(state, reason=disruption.code, words=words, problem=f"its pod {words}")
        return state

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and its output is there; one that ends with its client has not ended."""
        return self._has_ended(self.view) and self._is_complete

    @property
    def is_down(self) -> bool:
        """Whether it has stopped, and its output is there."""
        return self.has_stopped and self._is_complete

    @property
    def _is_complete(self) -> bool:
        return bool(self.ended_at) and not (self.output and self.output.is_awaited(self.ended_at))

    def _has_ended(self, view: PodView) -> bool:
        """Tell whether its container has ended, or its pod is gone; in its client's pod not if that ended first."""
        if self.client and self._has_client_ended(view) and not self._was_restarted(view):
            return self._ended_first(view, self.client)
        return view.is_removed or view.terminated(self.container) is not None or view.status.get("phase") == "Failed"

    @property
    def has_stopped(self) -> bool:
        """Whether its container runs no more, for whatever reason."""
        view = self.view
        return view.is_removed or (not view.is_running(self.container) and view.terminated(self.container) is not None)

    def _has_client_ended(self, view: PodView) -> bool:
        """Tell whether it lives in its client's pod, and the client has ended, so that Kubernetes ends it too."""
        return self.client is not None and view.terminated(self.client) is not None

    def _ended_first(self, view: PodView, client: str) -> bool:
        """Tell whether it ended before its client did, and not with it: their times are whole seconds."""
        own, clients = view.terminated(self.container), view.terminated(client)
        if own is None or clients is None:
            return False
        if own["finishedAt"] == clients["finishedAt"]:
            return bool(clients["exitCode"]) and own["exitCode"] not in _ENDS_IN_ORDER
        return datetime.fromisoformat(own["finishedAt"]) < datetime.fromisoformat(clients["finishedAt"])

    def _was_restarted(self, view: PodView) -> bool:
        """Tell whether it ended and was started again, as happens to a container beside its client."""
        return bool(view.container(self.container).get("restartCount"))

    @property
    def has_started(self) -> bool:
        """Whether its container runs, or did."""
        return self.view.is_running(self.container) or self.view.terminated(self.container) is not None

    @property
    def has_terminated_well(self) -> bool:
        """Whether its command ran to an end of its own: what is said of its pod then comes from that."""
        ended = self.view.terminated(self.container)
        return ended is not None and ended.get("reason") in {"Completed", "Error", OUT_OF_MEMORY}

    @property
    def is_doomed(self) -> bool:
        """Whether somebody takes its pod away, though it may still run."""
        return not self.client and self.view.disruption() is not None

    @property
    def is_away(self) -> bool:
        """Whether nothing of its pod is left that this run has to remove."""
        view = self.view
        return view.is_removed or (self.maker.removes_pods and view.status.get("phase") in {"Succeeded", "Failed"})

    @property
    def is_stuck(self) -> bool:
        """Whether its pod waits for a word of its own that never comes."""
        ended = self.view.terminated(self.container)
        return ended is not None and self.maker.is_silenced(int(ended.get("exitCode", 0)))

    @property
    def container_id(self) -> str:
        """Its container's id, once it has one."""
        return str(self.view.container(self.container).get("containerID") or "").rpartition("/")[2]

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Ask it over the network once, from the warden's pod, at its pod's own address."""
        return self.resources.agent.probe(kind, self.view.ip, port, target, seconds)

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Run a command in its container."""
        container = self.pod, self.container
        return run_command(self.resources.cluster, container, self.unit.step.name, argv, seconds)

    def collect(self, into: Path) -> Collected:
        """Move what it wrote, which its pod's collector has sent to the hub, to a folder."""
        if self.collect_seconds is None:
            return Collected()
        step, results = self.unit.step.name, self.resources.results
        going_on = unhurried(itertools.repeat(None), lambda: self.resources.context.control.is_urgent)
        # What pip made is of no use to a run that ends.
        check = self.resources.check if self.unit.installs else partial(next, going_on)
        source = results.fetch(self.pod, step, self.collect_seconds, check)
        lacks = [] if source else ["its pod is gone, and with it what it wrote"]
        if source:
            results.note_host(source, self.view.node)
            if (source / step).is_dir():
                _move(source / step, into, step)
        check_own(self.view)
        is_over = self._has_ended(self.view) or self.has_stopped
        lacks += [words for words in (self._problem, self.output and self.output.trouble(is_over=is_over)) if words]
        return Collected("; ".join(lacks), results.others_of(self.pod, step))

    def delete(self, grace: float) -> None:
        """Have its pod deleted, with so many seconds of grace."""
        self.is_pod_kept = False
        with map_errors("deleting its pod", self.unit.step.name):
            self.resources.cluster.delete("Pod", self.pod, max(self.maker.least_grace, grace))

    def remove(self) -> None:
        """Delete its pod, if that is not on its way out yet; that it is gone is waited for later."""
        if self.is_pod_kept:
            self.delete(0)


def _move(source: Path, target: Path, step: str) -> None:
    try:
        shutil.move(source, target)
    except OSError as error:
        words = f"{step}: what it wrote cannot be kept: {error.strerror}"
        raise PlatformError(words, code="results_lost", step=step) from None

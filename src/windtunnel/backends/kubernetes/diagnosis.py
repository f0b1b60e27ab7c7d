"""Why a pod does not get on, once it is certain: what may pass has its time, what only events tell is asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from windtunnel.backends.agent.client import agent_bug
from windtunnel.backends.agent.protocol import BUG
from windtunnel.backends.kubernetes.api import Cluster, Refused, is_quota
from windtunnel.backends.kubernetes.naming import WARDEN
from windtunnel.backends.kubernetes.pods import OWN_CONTAINERS, PodView, Trouble
from windtunnel.backends.kubernetes.settings import ACCOUNT
from windtunnel.errors import PlatformError

PATIENCE_SECONDS = 6.0
"""How long something may be wrong that may pass: an image on its second try, a node that is just being freed."""
SILENCE_SECONDS = 3.0
"""How long nothing may be heard of a pod before the cluster's events are asked for it, and how often."""


@dataclass
class Diagnosis:
    """Judges the pods of a run.

    Attributes:
        cluster: The cluster of the run.
    """

    cluster: Cluster
    _since: dict[str, float] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _told: dict[str, str | None] = field(default_factory=dict)

    def of_pod(self, view: PodView) -> Trouble | None:
        """Return what keeps a pod from starting, if it is certain by now."""
        check_own(view)
        trouble = view.trouble()
        if trouble is None and view.is_being_made and (words := self._complaint("Pod", view.name)):
            trouble = Trouble("container_failed", f"cannot be started: {words}", is_transient=True)
        return self._lasting(view.name, trouble)

    def of_job(self, name: str) -> Trouble | None:
        """Return what keeps a Job that has no pod from having one, if it is certain by now."""
        words = self._complaint("Job", name)
        return self._lasting(name, _no_pod(words) if words else None)

    def _lasting(self, name: str, trouble: Trouble | None) -> Trouble | None:
        if trouble is None:
            self._since.pop(name, None)
            return None
        now = time.monotonic()
        is_young = now < self._since.setdefault(name, now) + PATIENCE_SECONDS
        return None if trouble.is_transient and is_young else trouble

    def _complaint(self, kind: str, name: str) -> str | None:
        """Return what the cluster last told of an object, if it was a warning; asked for now and then."""
        now = time.monotonic()
        if now >= self._asked.setdefault(name, now) + SILENCE_SECONDS:
            self._asked[name] = now
            self._told[name] = self._ask(kind, name)
        return self._told.get(name)

    def _ask(self, kind: str, name: str) -> str | None:
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        try:
            events = self.cluster.ask("GET", self.cluster.path("Event"), query={"fieldSelector": selector})["items"]
        except (Refused, OSError):
            # An account that may make pods need not be allowed to read events; the run's deadline remains.
            return None
        last = max(events, key=_moment, default=None)
        return str(last["message"]) if last and last["type"] == "Warning" else None


def check_own(view: PodView, names: Sequence[str] = OWN_CONTAINERS) -> None:
    """Raise if a container of ours has ended of a bug (WindtunnelError)."""
    for name in names:
        ended = view.terminated(name) or {}
        if ended.get("exitCode") == BUG:
            raise agent_bug(f"{name} of pod {view.name}", str(ended.get("message") or "").splitlines())


def _no_pod(words: str) -> Trouble:
    if ACCOUNT in words:
        return Trouble(
            "not_installed", f"has no pod: {words}; make it once: windtunnel install kubernetes", is_transient=True
        )
    return Trouble("quota" if is_quota(words) else "forbidden", f"has no pod: {words}", is_transient=True)


def _moment(event: dict[str, Any]) -> str:
    """Return when an event was told last, as a text that sorts."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def to_error(who: str, trouble: Trouble, step: str | None = None) -> PlatformError:
    """Return a trouble as an error; whose image it is that is missing, if it is none of the benchmark's."""
    is_runner = trouble.code == "image_pull" and trouble.container in {WARDEN, *OWN_CONTAINERS}
    hint = "; it is the run's own, which WINDTUNNEL_RUNNER_IMAGE names" if is_runner else ""
    return PlatformError(f"{who} {trouble.words}{hint}", code=trouble.code, step=step)

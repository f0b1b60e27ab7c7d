"""A workflow that was submitted: what it does meanwhile, and its run's folder, fetched."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.backends.archive import unpack
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.engines.argo.labels import EXIT_CODE, FETCHED, FETCHED_AS, FETCHING, FOLDER, MAIN
from windtunnel.engines.argo.nodes import pods_in
from windtunnel.engines.argo.status import read_record, refusal_of, stopped_early
from windtunnel.engines.argo.workflow import annotate, annotations_of, change, drives, labels_of, read
from windtunnel.errors import Cancelled, ExitCode, PlatformError
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.store import read_run

_LOOK_SECONDS = 0.2
_IDLE = 5
"""How many times as long as the API took to tell of a workflow it is left in peace: a large one takes its time."""
_OVER = {"Succeeded", "Failed", "Error"}
_ASKED_AWAY = 2
"""How often a user asks for an end who still waits for the folder."""
_PASSING = {"PodInitializing", "ContainerCreating"}
"""What Argo says of pods that are about to run."""
_AGENT = ["python", "-m", "windtunnel.backends.agent", "agent.request_handlers"]


@dataclass
class Follower:
    """Follows a workflow to its end; one of a matrix has several runs, whose folders come one after the other.

    Attributes:
        cluster: The cluster and namespace of the workflow.
        name: The workflow's name.
        store: Folder that its run is fetched into.
        say: Told what happens, in words.
        control: Cancelled, it stops the workflow; once more, it terminates it; and once more, nothing is waited for.
    """

    cluster: Cluster
    name: str
    store: Path
    say: Callable[[str], None]
    control: Control
    _seen: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    _asked: int = 0
    _folders: list[Path] = field(default_factory=list)
    _is_sweep: bool = False

    def follow(self) -> RunRecord:
        """Return the run's record when the workflow is over, and its folder is here.

        Raises:
            UsageError, PlatformError: The driver began no run, there is no record of it, or it could not be fetched.
            Cancelled: It was stopped before its run began, or is not waited for any more.
        """
        return self._result(self._await_end())

    def follow_sweep(self) -> tuple[list[RunRecord], int]:
        """Return the records of a matrix's runs, as many as there are, and the exit code of all, when that is over.

        Raises:
            PlatformError: None of its runs was fetched.
            Cancelled: It is not waited for any more.
        """
        self._is_sweep = True
        found = self._await_end()
        if not self._folders:
            message = (found.get("status") or {}).get("message") or "none of its runs began"
            raise PlatformError(f"workflow {self.name}: {message}", code="workflow_failed")
        records = [read_run(RunFolder(folder)) for folder in self._folders]
        # Where no exit handler ran, nobody has judged them: they were terminated, and not all of them may have begun.
        own = next((record.exit_code for record in records if record.exit_code), ExitCode.PLATFORM)
        return records, int(labels_of(found).get(EXIT_CODE) or own)

    def _await_end(self) -> dict[str, Any]:
        """Return the workflow when it is over, and what could be fetched is here."""
        while True:
            asked_at = time.monotonic()
            found = read(self.cluster, self.name)
            pause = max(_LOOK_SECONDS, _IDLE * (time.monotonic() - asked_at))
            self._tell(found)
            notes = annotations_of(found)
            if FOLDER in notes and notes.get(FETCHED) != notes[FOLDER]:
                self._fetch(notes[FOLDER])
            if (found.get("status") or {}).get("phase") in _OVER and not self._is_awaited():
                return read(self.cluster, self.name)
            self._heed()
            time.sleep(pause)

    def _is_awaited(self) -> bool:
        """Tell whether the run's folder may still come: Argo calls a workflow over as soon as it is terminated."""
        return (self._is_sweep or not self._folders) and drives(self.cluster, self.name)

    def _result(self, found: dict[str, Any]) -> RunRecord:
        record = read_record(found)
        if record is None:
            message = _failure_of(found) or "there is no record of its run"
            failed = PlatformError(f"workflow {self.name}: {message}", code="workflow_failed")
            raise refusal_of(found) or stopped_early(found) or failed
        if not self._folders:
            raise PlatformError(f"{record.run_id} is over ({record.status}) and was not fetched", code="not_fetched")
        # What the workflow has may be shortened.
        return read_run(RunFolder(self._folders[0]))

    def _tell(self, found: dict[str, Any]) -> None:
        for node in pods_in(found):
            phase, message = str(node.get("phase")), str(node.get("message") or "")
            if phase == "Running" or message in _PASSING:
                message = ""
            # What a pod waits for, maybe in vain, Argo says again and again, with other numbers.
            state = (phase, message.partition(":")[0])
            seen = self._seen.setdefault(node["id"], set())
            if state not in seen:
                seen.add(state)
                self.say(f"{node['displayName']}  {phase}" + (f": {message}" if message else ""))

    def _check_awaited(self) -> None:
        """Raise if its user waits no longer (Cancelled)."""
        if self.control.asked > _ASKED_AWAY:
            raise Cancelled(f"workflow {self.name} ends by itself; its run's folder is not waited for any more")

    def _heed(self) -> None:
        self._check_awaited()
        if self.control.asked > self._asked:
            self._asked = self.control.asked
            how = "Stop" if self._asked == 1 else "Terminate"
            change(self.cluster, self.name, {"spec": {"shutdown": how}})
            if self._asked == _ASKED_AWAY:
                self.say("once more to wait no longer for the run's folder")

    def _fetch(self, pod: str) -> None:
        annotate(self.cluster, self.name, **{FETCHING: pod})
        agent = Agent(self.cluster, lambda: pod, _AGENT, MAIN)
        try:
            size = agent.result_size(FETCHED_AS, 0)
            if size is None:
                raise PlatformError(f"pod {pod} has no folder of the run", code="results_lost")
            self.store.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.store, prefix=".fetching-") as folder:
                archive, target = Path(folder) / "run.tar", Path(folder) / "run"
                agent.read_result(FETCHED_AS, size, archive, self._check_awaited)
                with tarfile.open(archive) as file:
                    name = file.getnames()[0]
                with archive.open("rb") as stream:
                    unpack(iter(lambda: stream.read(1 << 20), b""), target)
                place = (self.store / name).absolute()
                shutil.move(target, place)
        except OSError as error:
            raise PlatformError(f"the run cannot be kept in {self.store}: {error}", code="store_failed") from None
        finally:
            agent.close()
        annotate(self.cluster, self.name, **{FETCHED: pod})
        self._folders.append(place)
        self.say(f"fetched {place}")


def _failure_of(workflow: dict[str, Any]) -> str | None:
    """Return why a workflow failed; of one whose pods could not be made, Argo has the words at the pods alone."""
    status = workflow.get("status") or {}
    message = None if status.get("phase") == "Error" else status.get("message")
    errors = (
        str(node["message"]) for node in pods_in(workflow) if node.get("phase") == "Error" and node.get("message")
    )
    return message or next(errors, status.get("message"))

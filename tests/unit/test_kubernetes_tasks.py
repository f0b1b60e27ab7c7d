"""What a container of a pod is as a task: heard by one thread, and only looked at by all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from support.pod_tasks import CLIENT, pod_task
from windtunnel.backends.kubernetes import task as module
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.task import FOLLOWED
from windtunnel.plan import Probe, Program, Readiness, Service

RUNNING: dict[str, Any] = {"running": {}}
ENDED: dict[str, Any] = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-01-01T00:00:01Z"}}
LATER: dict[str, Any] = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:09Z"}}


def pod(**states: dict[str, Any]) -> PodView:
    """Return a pod whose containers are in some states."""
    statuses = [{"name": name, "state": state} for name, state in states.items()]
    return PodView({"metadata": {"name": "pod"}, "status": {"containerStatuses": statuses}})


def server(probe: str = "tcp", **keys: Any) -> Service:
    """Return a server that is asked for its readiness by a kind of probe."""
    ready = Readiness(probe=Probe(kind=probe, target="up"), within=1)  # type: ignore[arg-type]
    return Service(name="server", program=Program(command=("serve",)), ready=ready, **keys)


def test_looking_at_a_task_changes_nothing() -> None:
    """The thread that hears of its end tells its output and notes the moment; until then it runs."""
    task = pod_task(pod(client=ENDED), is_heard=False)
    looks = [task.state, task.state]
    assert [look.phase for look in looks] == ["running", "running"]
    assert isinstance(task.output, Mock)
    assert not task.output.finish.called

    task.hear()
    assert task.output.finish.called
    assert task.state == task.state
    assert (task.state.phase, task.state.status) == ("gone", 3)
    assert task.state.at > 0


def test_a_task_whose_output_still_comes_is_not_gone() -> None:
    """What it printed last may be its numbers."""
    task = pod_task(pod(client=ENDED))
    task.output = Mock(is_awaited=lambda _ended_at: True)

    assert task.state.phase == "running"
    assert task.state.status is None


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The logs that are written from now on."""
    logs: list[Path] = []

    def follow(_cluster: object, _source: object, path: Path, *_others: object) -> Mock:
        logs.append(path)
        return Mock(is_awaited=lambda _ended_at: False)

    monkeypatch.setattr(module, "Output", follow)
    return logs


@pytest.mark.parametrize(
    ("number", "step", "state", "is_followed"),
    [
        (1, server(), RUNNING, True),
        (FOLLOWED, server(), RUNNING, True),
        (FOLLOWED + 1, server(), RUNNING, False),
        (FOLLOWED + 1, server("log"), RUNNING, True),
        (FOLLOWED + 1, server(), ENDED, True),
    ],
)
def test_many_replicas_are_no_connection_each(
    followed: list[Path], number: int, step: Service, state: dict[str, Any], *, is_followed: bool
) -> None:
    """While they run the first ones are followed, and those whose log is asked for; the others once they end."""
    task = pod_task(pod(server=state), step, number=number, is_heard=False)
    task.output = None
    task.hear()

    assert bool(followed) == is_followed
    task.follow()
    assert len(followed) == 1


def test_an_output_that_cannot_be_written_is_missing_and_ends_no_watch(tmp_path: Path) -> None:
    """The thread that hears of pods goes on."""
    task = pod_task(pod(client=ENDED), log=tmp_path / "no" / "log", is_heard=False)
    task.output = None
    task.hear()
    task.collect_seconds = 0
    task.resources.results.fetch = lambda *_: None  # type: ignore[method-assign]

    assert task.state.phase == "gone"
    assert "its output could not be written: No such file or directory" in task.collect(tmp_path / "results").lack


def test_a_server_that_ends_with_its_client_has_not_died() -> None:
    """Nobody needs it any more, and that it is down is known all the same."""
    task = pod_task(pod(client=ENDED, server=LATER), server(placement="same-pod"), client="client")

    assert task.state.phase == "running"
    assert task.state.is_released
    assert task.is_down


@pytest.mark.parametrize(("seconds", "lack"), [(None, ""), (1, "its pod is gone, and with it what it wrote; cut")])
def test_what_never_came_of_a_pod_is_told_unless_nothing_could_come(
    tmp_path: Path, seconds: float | None, lack: str
) -> None:
    """A pod whose collector did not run any more wrote nothing that could be waited for."""
    task = pod_task(pod(client=ENDED), CLIENT)
    task.output = Mock(trouble=lambda is_over: "cut")  # noqa: ARG005 - a name
    task.resources.results.fetch = lambda *_: None  # type: ignore[method-assign]
    task.collect_seconds = seconds

    assert task.collect(tmp_path / "results").lack == lack


def test_a_pod_is_deleted_once() -> None:
    """By its end, or, where its collector was still to send, by its removal."""
    task = pod_task(pod(client=ENDED))
    task.is_pod_kept = True
    task.remove()
    task.remove()

    task.resources.cluster.delete.assert_called_once_with("Pod", "pod", 1.0)  # type: ignore[attr-defined]

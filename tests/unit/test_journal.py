"""All that a run tells."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Literal

import pytest

from windtunnel.errors import PlatformError
from windtunnel.run.control import Control
from windtunnel.run.events import Event, EventType
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal, UsageSample
from windtunnel.run.samples import Sample


@pytest.fixture
def folder(new_folder: Callable[[str], RunFolder], single_node: str) -> RunFolder:
    """The folder of a new run."""
    return new_folder(single_node)


def test_an_event_is_written_before_observers_are_told(folder: RunFolder) -> None:
    """An observer that is told of an event finds it in the folder."""
    written: list[int] = []
    told: list[Event] = []

    def observe(event: Event) -> None:
        told.append(event)
        written.append(len(list(folder.lines("events"))))

    journal = Journal(folder, [observe, observe])
    journal.emit(EventType.SERVICE_READY, "server", message="it is", port=80)
    journal.catch_up()
    journal.note("by the way", "client", 2)
    journal.close()
    assert sorted(written) == [1, 1, 2, 2]
    assert [(event.type, event.step, event.message) for event in told[::2]] == [
        (EventType.SERVICE_READY, "server", "it is"),
        (EventType.NOTE, "client", "by the way"),
    ]
    assert told[0].data == {"port": 80}
    assert told[2].iteration == 2


def test_a_run_is_told_by_its_own_name_whatever_is_secret(
    new_folder: Callable[[str], RunFolder], single_node: str
) -> None:
    """Observers find its folder by what they are told, though a password is a part of the benchmark's name."""
    text = single_node.replace('name = "', 'name = "postgres-', 1) + '\n[client.env]\nPASSWORD = "postgres"\n'
    folder = new_folder(text)
    told: list[Event] = []
    journal = Journal(folder, [told.append])
    journal.emit(EventType.RUN_STARTED, message=folder.run_id, path=str(folder.path), user="postgres")
    journal.close()

    assert folder.run_id.startswith("postgres-")
    assert told[0].message == folder.run_id
    assert told[0].data == {"path": str(folder.path), "user": "[redacted]"}


def test_series_of_several_secrets_stay_apart(new_folder: Callable[[str], RunFolder], single_node: str) -> None:
    """A mean over two users' values means nothing, although neither may be named."""
    secrets = {"A_TOKEN": "alpha-secret-1", "B_TOKEN": "beta-secret-2"}
    env = "".join(f'{name} = "{value}"\n' for name, value in secrets.items())
    journal = Journal(new_folder(f"{single_node}\n[client.env]\n{env}"))
    users = [*secrets.values(), "alpha-secret-1"]
    journal.add_samples(
        [Sample("rate", 1.0, None, 1, 5.0, "client", {"user": user, f"of {user}": "x"}) for user in users]
    )

    first, second = ({"user": f"[redacted]{mark}", f"of [redacted]{mark}": "x"} for mark in ("", " (2)"))
    assert [sample.labels for sample in journal.samples] == [first, second, first]


def test_samples_are_kept_and_written(folder: RunFolder) -> None:
    """The summary and the folder have the same."""
    journal = Journal(folder)
    samples = [
        Sample("rate", 1.0, "1/s", 1, 5.0, "client", {"test": "GET"}),
        Sample("rate", 2.0, None, 2, 6.0, "client"),
    ]
    journal.add_samples(samples[:1])
    journal.add_samples(samples[1:])
    assert list(journal.samples) == samples
    assert [Sample.from_json(line) for line in folder.lines("samples")] == samples


def test_usage_is_kept_and_written(folder: RunFolder) -> None:
    """The line has all that is known of the interval."""
    journal = Journal(folder)
    usage = UsageSample("server", 5.0, 0.5, 1.25, None, 1024, 2)
    journal.add_usage(usage)
    assert journal.usage == [usage]
    assert [UsageSample(**line) for line in folder.lines("usage")] == [usage]


def test_a_phase_is_measured(folder: RunFolder) -> None:
    """It has its step, iteration, beginning and length."""
    journal = Journal(folder)
    with journal.phase("client", "run", 2, warmup=True):
        assert journal.phases == []
    (phase,) = journal.phases
    assert (phase.step, phase.phase, phase.iteration, phase.warmup) == ("client", "run", 2, True)
    assert phase.seconds >= 0
    assert phase.started.endswith("Z")


@pytest.mark.parametrize(("step", "told"), [(-2.0, "-2.0"), (3600.0, "+3600.0"), (0.1, None)])
@pytest.mark.parametrize("phase", ["run", "ready"])
def test_a_step_of_the_clock_in_an_iteration_is_a_doubt(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, step: float, told: str | None, phase: Literal["run", "ready"]
) -> None:
    """A client that measures by it measured something else; so it is where the machine slept."""
    journal, clock = Journal(folder), time.time
    with journal.phase("client", phase, 2):
        monkeypatch.setattr(time, "time", lambda: clock() + step)

    moved = f"in iteration 2 this machine's clock moved {told} s against the time that passed"
    assert journal.doubts == ([f"{moved}: it was set, or the machine slept"] if told and phase == "run" else [])
    assert journal.phases[0].seconds < 1


def test_a_step_of_the_clock_in_a_warm_up_is_noted(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it measured does not count, and so the result is not in doubt."""
    journal, clock = Journal(folder), time.time
    with journal.phase("client", "run", 1, warmup=True):
        monkeypatch.setattr(time, "time", lambda: clock() + 60)

    (event,) = folder.events()
    assert event["message"].startswith("in iteration 1 this machine's clock moved +60.0 s")
    assert journal.doubts == []


def test_a_phase_that_fails_is_measured_too(folder: RunFolder) -> None:
    """What went wrong goes on, and the time is not lost."""
    journal = Journal(folder)
    with pytest.raises(ZeroDivisionError), journal.phase("server", "ready"):
        raise ZeroDivisionError
    assert [(phase.step, phase.phase) for phase in journal.phases] == [("server", "ready")]


@pytest.mark.parametrize("name", ["events", "samples", "usage"])
def test_a_full_disk_ends_the_run_whichever_thread_meets_it(folder: RunFolder, name: str) -> None:
    """The control fails with the system's words, and no thread dies of it: teardown goes on telling."""
    (folder.path / f"{name}.jsonl").symlink_to("/dev/full")
    control = Control(3600)
    journal = Journal(folder, control=control)
    writes: dict[str, Callable[[], None]] = {
        "events": lambda: journal.note("by the way"),
        "samples": lambda: journal.add_samples([Sample("rate", 1.0, None, 1, 5.0, "client")]),
        "usage": lambda: journal.add_usage(UsageSample("server", 5.0, 0.5, 1.25, None, 1024, 2)),
    }
    control.threads.start("usage", writes[name]).join()
    writes[name]()

    with pytest.raises(PlatformError, match="results cannot be written: No space left on device") as caught:
        control.check()
    assert caught.value.code == "store_failed"


def test_a_line_is_written_whole_or_not_at_all(folder: RunFolder) -> None:
    """What a disk still took before it was full does not spoil the line that is written when it has room again."""
    folder.append("events", {"n": 1})
    size = (folder.path / "events.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            folder.append("events", {"n": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    folder.append("events", {"n": 2})

    assert list(folder.lines("events")) == [{"n": 1}, {"n": 2}]

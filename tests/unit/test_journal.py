"""All that a run tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from windtunnel.run.events import Event, EventType
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal, UsageSample
from windtunnel.run.samples import Sample


@pytest.fixture
def folder(new_folder: Callable[[str], RunFolder], single_node: str) -> RunFolder:
    """The folder of a new run."""
    return new_folder(single_node)


def test_an_event_is_written_before_observers_are_told(folder: RunFolder) -> None:
    """Whoever is told of an event finds it in the folder."""
    written: list[int] = []
    told: list[Event] = []

    def observe(event: Event) -> None:
        told.append(event)
        written.append(len(list(folder.lines("events"))))

    journal = Journal(folder, [observe, observe])
    journal.emit(EventType.SERVICE_READY, "server", message="it is", port=80)
    journal.note("by the way", "client", 2)
    assert written == [1, 1, 2, 2]
    assert [(event.type, event.step, event.message) for event in told[::2]] == [
        (EventType.SERVICE_READY, "server", "it is"),
        (EventType.NOTE, "client", "by the way"),
    ]
    assert told[0].data == {"port": 80}
    assert told[2].iteration == 2


def test_samples_are_kept_and_written(folder: RunFolder) -> None:
    """The summary and the folder have the same."""
    journal = Journal(folder)
    samples = [
        Sample("rate", 1.0, "1/s", 1, 5.0, "client", {"test": "GET"}),
        Sample("rate", 2.0, None, 2, 6.0, "client"),
    ]
    journal.add_samples(samples[:1])
    journal.add_samples(samples[1:])
    assert journal.samples == samples
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


def test_a_phase_that_fails_is_measured_too(folder: RunFolder) -> None:
    """What went wrong goes on, and the time is not lost."""
    journal = Journal(folder)
    with pytest.raises(ZeroDivisionError), journal.phase("server", "ready"):
        raise ZeroDivisionError
    assert [(phase.step, phase.phase) for phase in journal.phases] == [("server", "ready")]

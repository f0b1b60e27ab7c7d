"""What is stored while a run goes on, of a driver whose folder may go with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windtunnel.addresses import ObjectAddress
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.engines import run_upload
from windtunnel.errors import PlatformError
from windtunnel.run.control import GracePeriod
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

BACKEND = RecordingBackend({"client": [Outcome(output="rate=1")]})


class PlayedUpload:
    """A store that remembers how many samples it was sent each time, and what not."""

    target = "s3://bucket/run"

    def __init__(self, folder: RunFolder, *, fails: bool) -> None:
        self.folder, self.fails = folder.path, fails
        self.sent: list[tuple[int, list[str]]] = []
        folder.path.joinpath("logs").mkdir(exist_ok=True)

    def send(self, _control: GracePeriod, *, but: tuple[str, ...] = ()) -> None:
        """Count."""
        samples = self.folder / "samples.jsonl"
        self.sent.append((len(samples.read_text().splitlines()) if samples.exists() else 0, list(but)))
        if self.fails and len(self.sent) == 2:
            raise PlatformError("no answer", code="store_failed")

    def close(self) -> list[str]:
        """Leave nothing."""
        return []


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[PlayedUpload]]:
    """Have runs use such a store; it is in the list once there is one."""

    def play(*, fails: bool = False) -> list[PlayedUpload]:
        made: list[PlayedUpload] = []

        def opened(folder: RunFolder, *_more: object, **_options: object) -> PlayedUpload:
            made.append(PlayedUpload(folder, fails=fails))
            return made[0]

        monkeypatch.setattr(run_upload, "open_upload", opened)
        monkeypatch.setattr(run_upload, "_REST", 0.0)
        return made

    return play


def run(run_recorded: Callable[..., RunRecord], text: str, **options: object) -> RunRecord:
    """Run a benchmark of three iterations that is stored."""
    return run_recorded(f"{text}\n[run]\nrepeats = 3\n", BACKEND, remote=ObjectAddress("bucket"), **options)


def test_each_iteration_is_stored_where_the_folder_may_be_lost(
    run_recorded: Callable[..., RunRecord], single_node: str, played: Callable[..., list[PlayedUpload]]
) -> None:
    """Samples that were stored before the last iteration ended; nothing that steps write, which may have secrets."""
    made = played()
    record = run(run_recorded, single_node, is_volatile=True)
    meanwhile = made[0].sent[1:4]

    assert record.exit_code == 0
    assert [count for count, _but in meanwhile] == sorted(count for count, _but in meanwhile)
    assert all(1 <= count <= 3 for count, _but in meanwhile)
    assert all("logs/client.1.log" in but for _count, but in meanwhile)


def test_elsewhere_the_store_is_left_alone_while_it_is_measured(
    run_recorded: Callable[..., RunRecord], single_node: str, played: Callable[..., list[PlayedUpload]]
) -> None:
    """The folder stays, and what is sent meanwhile might be measured."""
    made = played()
    run(run_recorded, single_node)
    assert not [but for _count, but in made[0].sent if "logs/client.1.log" in but]


def test_a_store_that_fails_meanwhile_costs_nothing(
    run_recorded: Callable[..., RunRecord], single_node: str, played: Callable[..., list[PlayedUpload]]
) -> None:
    """It is tried again, and whether all is stored is known at the end."""
    made = played(fails=True)
    record = run(run_recorded, single_node, is_volatile=True)
    assert (record.exit_code, record.upload and record.upload.complete) == (0, True)
    assert made[0].sent[-1][0] == 3
    assert Path(record.path or "").exists()

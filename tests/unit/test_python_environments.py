"""Python environments of steps: what comes of pip's unit, whatever the platform is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from windtunnel.backends.base import Address
from windtunnel.backends.containers import METRICS, OUT, WORK
from windtunnel.backends.platform import Collected, State
from windtunnel.backends.python_environments import Environments, Interpreter, KeptEnvironment
from windtunnel.backends.unit import Site, Unit
from windtunnel.errors import Cancelled, PlatformError, TimedOut, WindtunnelError
from windtunnel.plan import Job, Program
from windtunnel.run.control import Control

STEP = Job(name="client", program=Program(command=("python3", "x.py"), requirements=("speed",), isolation="sealed"))


class Lab:
    """A platform and its only task, pip's, of which a test says how it ends."""

    kind, archive = "pod", ".tgz"

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, list[str]()
        self.control, self.state = Control(60), State("gone", 0)
        self.log = folder / "pip.log"
        self.log.write_text("ERROR: No matching distribution\n")
        self.unit: Any = None
        self.shared: Any = None
        self.presses = 0
        self.refusal: PlatformError | None = None

    def interpreter(self, _step: Job) -> AbstractContextManager[Interpreter]:
        """Lend an interpreter of some image."""
        return nullcontext(Interpreter("python3", ["python3", "image"], self.start))

    def site(self, _launch: object) -> Site:
        """Return the place of a container."""
        return Site(Address("client", None), WORK, OUT, METRICS)

    def check(self) -> None:
        """Find nothing wrong."""

    def start(self, units: Sequence[Unit]) -> Sequence[Any]:
        """Start pip."""
        (self.unit,) = units
        if self.refusal:
            raise self.refusal
        self.calls.append("start")
        return [self]

    def stop(self, _tasks: object, _grace: float) -> None:
        """End pip."""
        self.calls.append("stop")

    def collect(self, into: Path) -> Collected:
        """Return what pip made, while somebody asks to stop as often as the test says."""
        self.calls.append("collect")
        (into / "out").mkdir(parents=True)
        made = self.folder / "packages.json"
        made.write_text(json.dumps({"packages": {"speed": "2"}, "path": "/image/bin"}))
        with tarfile.open(into / "out" / "python.tgz", "w:gz") as archive:
            archive.add(made, "python/packages.json")
        for _ in range(self.presses):
            self.control.cancel("Ctrl-C")
        return Collected()

    def remove(self) -> None:
        """Take pip away."""
        self.calls.append("remove")

    def share_environment(self, _step: Job, kept: KeptEnvironment) -> None:
        """Note what is shared."""
        self.shared = kept

    def install(self) -> tuple[dict[str, str], bool]:
        """Install what a step requires."""
        folder = SimpleNamespace(path=self.folder, log=lambda name: self.folder / f"{name}.log")
        notifier = SimpleNamespace(wait=lambda condition, _seconds: condition())
        context: Any = SimpleNamespace(folder=folder, control=self.control, notifier=notifier)
        platform: Any = self
        return Environments(context).install(platform, STEP)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A platform, and a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Lab(tmp_path)


def test_what_pip_made_is_kept_and_shared_and_pip_is_ended_before_that(lab: Lab) -> None:
    """The second time nothing is started."""
    assert lab.install() == ({"speed": "2"}, False)
    assert lab.calls == ["start", "stop", "collect", "remove"]
    assert lab.shared.path == "/image/bin"
    assert lab.shared.place.suffix == ".tgz"
    assert (lab.unit.program.isolation, lab.unit.argv[-2:]) == ("open", ("add", "speed"))

    assert lab.install() == ({"speed": "2"}, True)
    assert lab.calls == ["start", "stop", "collect", "remove"]


@pytest.mark.long
def test_nothing_is_kept_of_what_was_fetched_in_a_hurry(lab: Lab) -> None:
    """A part of it may have come: the next run installs it."""
    lab.presses = 2
    with pytest.raises(Cancelled):
        lab.install()
    assert lab.calls[-1] == "remove"

    lab.presses, lab.control = 0, Control(60)
    assert lab.install() == ({"speed": "2"}, False)


@pytest.mark.long
@pytest.mark.parametrize("ending", [".json", ".tgz"])
def test_what_is_in_the_cache_by_halves_is_made_again(lab: Lab, tmp_path: Path, ending: str) -> None:
    """A full disk or a crash of the machine left it so."""
    lab.install()
    (file,) = (tmp_path / "cache").rglob(f"*{ending}")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])

    assert lab.install() == ({"speed": "2"}, False)
    assert lab.install() == ({"speed": "2"}, True)


@pytest.mark.parametrize("kind", [TimedOut, Cancelled])
def test_a_deadline_or_a_cancel_names_the_step_whose_pip_runs(lab: Lab, kind: type[WindtunnelError]) -> None:
    """Nothing else tells yet what the run was at."""
    lab.state = State()
    lab.control = Control(0 if kind is TimedOut else 60)
    if kind is Cancelled:
        lab.control.cancel("Ctrl-C")
    with pytest.raises(kind) as caught:
        lab.install()

    assert caught.value.step == "client"
    assert lab.calls == ["start", "stop", "remove"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State("gone", 1), "pip ended with status 1: No matching distribution"),
        (State("ended", reason="removed", words="was deleted by somebody"), "pip's pod was deleted by somebody"),
        (State("gone"), "pip's pod was killed"),
    ],
)
def test_a_pip_that_does_not_end_well_is_a_cause_and_taken_away(lab: Lab, state: State, words: str) -> None:
    """Whatever the platform says of its end."""
    lab.state = state
    with pytest.raises(PlatformError, match=words) as caught:
        lab.install()

    assert caught.value.code == "requirements_failed"
    assert lab.calls == ["start", "stop", "remove"]
    assert lab.shared is None


def test_a_command_that_is_missing_is_said_to_be_for_the_requirements(lab: Lab) -> None:
    """It is a platform's word for a step's own command, too."""
    lab.refusal = PlatformError("client: command not found: python3", code="command_not_found")
    words = "client: its requirements cannot be installed: command not found: python3"
    with pytest.raises(PlatformError, match=words) as caught:
        lab.install()
    assert caught.value.code == "requirements_failed"

"""What the unit tests share: two small benchmarks, and runs of them that start nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from windtunnel.backends.recording import RecordingBackend
from windtunnel.benchmark import parse
from windtunnel.engines import inline
from windtunnel.engines.request import Request
from windtunnel.plan import Plan
from windtunnel.run import journal
from windtunnel.run.control import Control
from windtunnel.run.events import Observer
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.strategies import make_plan

# The same examples each time: a test that fails today fails tomorrow too.
settings.register_profile("windtunnel", deadline=None, derandomize=True, max_examples=20)
settings.register_profile("check", settings.get_profile("windtunnel"), max_examples=12)
settings.register_profile("full", settings.get_profile("windtunnel"), max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "windtunnel"))

SINGLE_NODE = r"""
spec_version = "1"

[benchmark]
name = "alone"
strategy = "single-node"

[client]
command = ["measure"]

[[metrics]]
name = "rate"
unit = "1/s"
better = "higher"
pattern = 'rate=([\d.]+)'
"""

CLIENT_SERVER = r"""
spec_version = "1"

[benchmark]
name = "pair"
strategy = "client-server"

[server]
command = ["serve", "--port", "$PORT"]
port = 0

[client]
command = ["measure", "$SERVER_URL"]

[[metrics]]
name = "rate"
unit = "1/s"
better = "higher"
pattern = 'rate=([\d.]+)'
"""


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without the lines of their plots, which take most of a report's time: for tests of all the rest."""
    from markupsafe import Markup

    from windtunnel.analysis import figures

    monkeypatch.setattr(figures, "draw_svg", lambda *_arguments, **_options: Markup(""))


@pytest.fixture
def only_values_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports with the lines of those plots alone that have the names and units of metrics beside them."""
    from markupsafe import Markup

    from windtunnel.analysis import figures
    from windtunnel.analysis.plots.drawing import draw_svg

    def draw(*arguments: Any) -> str:
        *_plot, key = arguments
        return draw_svg(*arguments) if key.startswith("values") else Markup("")

    monkeypatch.setattr(figures, "draw_svg", draw)


@pytest.fixture
def single_node() -> str:
    """A benchmark of one command, whose metric is ``rate=…`` in its output."""
    return SINGLE_NODE


@pytest.fixture
def client_server() -> str:
    """A benchmark of a server and a client, whose metric is ``rate=…`` in the client's output."""
    return CLIENT_SERVER


@pytest.fixture
def plan_of() -> Callable[[str], Plan]:
    """The plan of a benchmark's text."""
    return lambda text: make_plan(parse(text, Path("benchmark.toml")).benchmark)


@pytest.fixture
def run_recorded(tmp_path: Path) -> Callable[..., RunRecord]:
    """Run a benchmark's text on a recording backend; more options are those of a `Request`."""

    def run(text: str, backend: RecordingBackend, **options: Any) -> RunRecord:
        loaded = parse(text, tmp_path / "benchmark.toml", options.pop("overrides", ()))
        plan = make_plan(loaded.benchmark)
        control = options.pop("control", None) or Control.for_plan(plan)
        return inline.run(Request(loaded, plan, backend, tmp_path / "runs", control, **options))

    return run


class AtOnce:
    """Tells an observer of an event at once, in the thread that it happens in."""

    def __init__(self, observer: Observer, _control: Control, _on_failure: object) -> None:
        self.tell = observer

    def catch_up(self, _deadline: float) -> None:
        """Return: all was told."""

    def close(self) -> None:
        """Return: there is no thread."""


@pytest.fixture
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observers are told at once: a test that does something in one does it at that very moment of the run."""
    monkeypatch.setattr(journal, "Dispatcher", AtOnce)


@pytest.fixture
def new_folder(tmp_path: Path) -> Iterator[Callable[[str], RunFolder]]:
    """Make the folder of a new run of a benchmark's text; its files are closed at the end."""
    made: list[RunFolder] = []

    def create(text: str) -> RunFolder:
        plan = make_plan(parse(text, Path("benchmark.toml")).benchmark)
        made.append(RunFolder.create(tmp_path / "runs", plan, text))
        return made[-1]

    yield create
    for folder in made:
        folder.close()

"""One contract for all engines: the same events for each step, the same numbers, the same verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.needs import needing_a_platform, package
from support.prefect_lab import PrefectLab
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.benchmark import parse
from windtunnel.engines import RUN_HERE, find_engine
from windtunnel.engines.request import Request
from windtunnel.errors import InvalidResult, PlatformError
from windtunnel.run.control import Control
from windtunnel.run.events import Event
from windtunnel.run.record import RunRecord
from windtunnel.strategies import make_plan

HEAD = 'spec_version = "1"\n[benchmark]\nname = "contract"\n'
TAIL = """
[run]
warmup = 1
repeats = 3
[[metrics]]
name = "rate"
unit = "1/s"
pattern = 'rate=([0-9]+)'
"""
SINGLE = f'{HEAD}strategy = "single-node"\n[client]\ncommand = ["measure"]\n{TAIL}'
SERVERS = f"""{HEAD}strategy = "client-server"
[servers.db]
command = ["db"]
port = 0
[servers.web]
command = ["web", "$DB_URL"]
port = 0
[client]
command = ["measure", "$WEB_URL"]
{TAIL}"""
NEEDY = SINGLE.replace("[client]", '[client]\nrequirements = ["numpy>=2"]')
FRESH = SERVERS.replace("warmup = 1", "warmup = 1\nfresh = true")
RATES = tuple(Outcome(output=f"rate={value}") for value in (9, 1, 2, 3))
NOT_READY = PlatformError("web was not ready", code="not_ready", step="web")
DIED = InvalidResult("db died", code="server_died", step="db")

CASES: dict[str, tuple[str, dict[str, tuple[Outcome, ...]], int]] = {
    "single-node": (SINGLE, {"client": RATES}, 0),
    "client-server": (SERVERS, {"client": RATES}, 0),
    "fresh": (FRESH, {"client": RATES}, 0),
    "command fails": (SERVERS, {"client": (*RATES[:2], Outcome(output="rate=5", status=3))}, 1),
    "not ready": (SERVERS, {"web": (Outcome(error=NOT_READY),)}, 3),
    "server dies": (SERVERS, {"client": RATES, "db": (Outcome(death=DIED),)}, 5),
    "requirements": (NEEDY, {"client": RATES}, 0),
    "no samples": (SINGLE, {}, 5),
}


@pytest.fixture(scope="module")
def _prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server with a database of its own, for all tests of this module."""
    settings = package("prefect.settings", "prefect")
    server = PrefectLab(tmp_path_factory.mktemp("prefect"))
    try:
        server.start_server()
        url, home = settings.PREFECT_API_URL, settings.PREFECT_HOME
        with settings.temporary_settings({url: server.env["PREFECT_API_URL"], home: server.path / "client"}):
            yield
    finally:
        server.end_all()


@pytest.fixture(params=[*(name for name in RUN_HERE if name != "prefect"), *needing_a_platform("prefect")])
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine that runs a request here, in turn."""
    name = str(request.param)
    if name == "prefect":
        request.getfixturevalue("_prefect_server")
    return name


def run(engine: str, text: str, outcomes: dict[str, tuple[Outcome, ...]], store: Path) -> tuple[RunRecord, list[Event]]:
    """Run a benchmark on the recording backend and return its record and its events."""
    loaded = parse(text, store / "benchmark.toml")
    events: list[Event] = []
    backend = RecordingBackend(outcomes)
    request = Request(loaded, make_plan(loaded.benchmark), backend, store, Control(60), [events.append])
    return find_engine(engine)(request), events


def shape(record: RunRecord, events: list[Event]) -> object:
    """Return what has to be the same on every engine: all but times and names of the run."""
    told = [(event.type.value, event.step, event.iteration) for event in events]
    cause = (record.cause.code, record.cause.step) if record.cause else None
    values = {name: metric.values for name, metric in record.metrics.items()}
    phases = [(phase.step, phase.phase, phase.iteration, phase.warmup) for phase in record.phases]
    return told, record.status, record.exit_code, cause, record.validity, record.reasons, values, phases


@pytest.mark.parametrize("case", CASES)
def test_an_engine_gives_what_the_reference_gives(engine: str, case: str, tmp_path: Path) -> None:
    """Events for each step, phases, numbers, verdict, cause and exit code are those of the inline engine."""
    text, outcomes, exit_code = CASES[case]
    expected = shape(*run("inline", text, outcomes, tmp_path / "inline"))
    record, events = run(engine, text, outcomes, tmp_path / "other")

    assert record.engine == engine
    assert record.exit_code == exit_code
    assert shape(record, events) == expected


def test_an_observer_that_cancels_ends_the_run(engine: str, tmp_path: Path) -> None:
    """Exit 130, and what was up is stopped."""
    loaded = parse(SERVERS, tmp_path / "benchmark.toml")
    control, backend = Control(60), RecordingBackend({"client": [*RATES[:1], Outcome(hangs=True)]})

    def cancel(event: Event) -> None:
        if event.type.value == "iteration_started" and event.iteration == 2:
            control.cancel("enough")

    request = Request(loaded, make_plan(loaded.benchmark), backend, tmp_path / "runs", control, [cancel])
    record = find_engine(engine)(request)

    assert (record.exit_code, record.status) == (130, "cancelled")
    assert [call for call in backend.calls if call.startswith("stop")][-2:] == ["stop web", "stop db"]
    assert backend.calls[-1] == "close"

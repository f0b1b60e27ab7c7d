"""One contract for all backends: whatever runs a step has to keep to this."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support import docker_lab, kubernetes_lab
from support.lab import SOON
from support.needs import needing_a_platform
from windtunnel.backends import make_backend
from windtunnel.backends.base import Backend, Launch, RunContext
from windtunnel.backends.session import Session
from windtunnel.errors import Cancelled, InvalidResult, PlatformError, TimedOut
from windtunnel.plan import InputFile, Job, Liveness, Plan, Probe, Program, Readiness, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

pytestmark = pytest.mark.usefixtures("nothing_left")
SERVE = (
    "import http.server as h, os\n"
    "h.HTTPServer(('', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()"
)
READY = Readiness(probe=Probe(kind="tcp"), within=20)


@dataclass
class Run:
    """One run on a backend, with what a test reaches for."""

    session: Session
    folder: RunFolder
    journal: Journal
    control: Control
    image: str | None

    def program(self, *command: str) -> Program:
        """Return a program as this backend runs it."""
        return Program(command=command, image=self.image)

    def job(self, text: str, **values: str) -> Launch[Job]:
        """Return the launch of a job of some Python text."""
        return Launch(_job(self.image, text), 1, values)

    def server(self, text: str = SERVE) -> Launch[Service]:
        """Return the launch of a server of some Python text."""
        return Launch(_server(self.image, text), None, {})


def _python(image: str | None, text: str) -> Program:
    return Program(command=("python3" if image else sys.executable, "-c", text), image=image)


def _job(image: str | None, text: str = "pass") -> Job:
    return Job(name="client", program=_python(image, text), needs=("server",))


def _server(image: str | None, text: str = SERVE) -> Service:
    return Service(name="server", program=_python(image, text), port=0, ready=READY, grace=2)


@pytest.fixture(params=["recording", "process", *needing_a_platform("docker", "kubernetes")])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend in turn."""
    if request.param == "docker":
        request.getfixturevalue("docker_empty")
    if request.param == "kubernetes":
        request.getfixturevalue("cluster_empty")
    return make_backend(request.param)


@pytest.fixture
def image(backend: Backend) -> str | None:
    """The image that steps need on this backend, if they need one."""
    labs = {"docker": docker_lab.image, "kubernetes": kubernetes_lab.image}
    return labs[backend.name]() if backend.name in labs else None


@pytest.fixture
def real(backend: Backend) -> Backend:
    """Every backend that runs something."""
    if backend.name == "recording":
        pytest.skip("the recording backend runs nothing")
    return backend


@pytest.fixture
def open_run(backend: Backend, image: str | None, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Open runs; they are closed after the test."""
    opened: list[Run] = []

    def open_(timeout: float = 60) -> Run:
        plan = Plan(
            benchmark="contract",
            strategy="client-server",
            timeout=timeout,
            steps=(_server(image), _job(image)),
        )
        folder = RunFolder.create(tmp_path / "runs", plan, "")
        control, journal = Control(timeout), Journal(folder)
        session = backend.open(RunContext(plan, folder, journal, control, tmp_path))
        opened.append(Run(session, folder, journal, control, image))
        return opened[-1]

    yield open_
    for run in opened:
        run.session.close()
        run.folder.close()


@pytest.fixture
def run(open_run: Callable[..., Run]) -> Run:
    """One open run."""
    return open_run()


def test_a_job_runs_to_its_end(backend: Backend, run: Run) -> None:
    """Its exit status is 0, and it is counted among what was made; on a cluster its pod's Secret is, too."""
    objects = 2 if backend.name == "kubernetes" else 1
    before = run.session.created()
    job = run.session.start_job(run.job("pass"))

    assert run.session.wait(job, []) == 0
    assert run.session.created() == before + objects


@pytest.mark.usefixtures("real")
def test_a_jobs_status_and_output_come_back(backend: Backend, run: Run) -> None:
    """Both its streams are in the run's log, in the order in which they were written.

    A cluster's runtime reads them side by side: there, lines that are written at once may change places.
    """
    text = "import os, sys; os.write(1, b'one\\n'); os.write(2, b'two\\n'); sys.exit(7)"
    job = run.session.start_job(run.job(text))

    assert run.session.wait(job, []) == 7
    lines = run.folder.log("client", 1).read_text().splitlines(keepends=True)
    assert (sorted(lines) if backend.name == "kubernetes" else lines) == ["one\n", "two\n"]


@pytest.mark.usefixtures("real")
def test_a_job_finds_its_names_and_folders(run: Run) -> None:
    """Addresses, output and metrics are handed over in the environment; its current folder is its own."""
    text = (
        "import json, os; print(json.dumps([os.environ['SERVER_HOST'], os.getcwd() == os.environ['WINDTUNNEL_WORK']]))"
    )
    job = run.session.start_job(run.job(text, SERVER_HOST="somewhere"))
    run.session.wait(job, [])

    assert json.loads(run.folder.log("client", 1).read_text()) == ["somewhere", True]


@pytest.mark.usefixtures("real")
def test_artifacts_and_metrics_are_kept(run: Run) -> None:
    """What a job writes to its output folder is in the run's folder once it was stopped; metrics can be read."""
    text = (
        "import os, pathlib; e = os.environ; out = pathlib.Path(e['WINDTUNNEL_OUT']); (out / 'sub').mkdir()\n"
        "(out / 'sub' / 'a.txt').write_text('kept'); open(e['WINDTUNNEL_METRICS'], 'w').write('{}')"
    )
    job = run.session.start_job(run.job(text))
    run.session.wait(job, [])
    run.session.stop(job)

    assert (run.folder.path / "artifacts" / "client.1" / "sub" / "a.txt").read_text() == "kept"
    assert job.metrics is not None
    assert job.metrics.read_text() == "{}"


@pytest.mark.usefixtures("real")
def test_each_start_has_an_output_folder_that_no_other_one_sees(run: Run) -> None:
    """It is empty, its path is handed to nobody else, and it is gone when the next start looks for what was in it."""
    look = (
        "import os, pathlib; out = pathlib.Path(os.environ['WINDTUNNEL_OUT']); print(len(list(out.iterdir())))\n"
        "print([name for name, value in os.environ.items() if name.endswith('_OUT')])\n"
        "found = [str(p) for p in out.parent.rglob('secret')]; print(found)\n"
        "(out / 'secret').write_text('mine')"
    )
    for iteration in (1, 2):
        job = run.session.start_job(Launch(run.job(look).step, iteration, {}))
        assert run.session.wait(job, []) == 0
        run.session.stop(job)
        assert run.folder.log("client", iteration).read_text() == "0\n['WINDTUNNEL_OUT']\n[]\n"
        assert (run.folder.path / "artifacts" / f"client.{iteration}" / "secret").read_text() == "mine"


@pytest.mark.usefixtures("real")
def test_a_job_that_changes_an_input_changes_nothing_for_the_next(run: Run, tmp_path: Path) -> None:
    """It cannot, or has a copy of its own, or the next start has the original again."""
    change = (
        "import contextlib, pathlib; data = pathlib.Path('data.txt'); print(data.read_text())\n"
        "with contextlib.suppress(OSError): data.chmod(0o666); data.write_text('changed')"
    )
    (tmp_path / "data.txt").write_text("original")
    run.session.preparation.fetch([InputFile(src="data.txt", path="data.txt")])
    for iteration in (1, 2):
        job = run.session.start_job(Launch(run.job(change).step, iteration, {}))
        assert run.session.wait(job, []) == 0
        run.session.stop(job)
        assert run.folder.log("client", iteration).read_text() == "original\n"
    assert (tmp_path / "data.txt").read_text() == "original"


def test_a_server_is_started_ready_and_stopped(run: Run) -> None:
    """It has an address, and stopping it twice is harmless."""
    server = run.session.start_service(run.server())
    run.session.until_ready(server, [])

    assert server.address.port
    run.session.stop(server)
    run.session.stop(server)
    assert run.session.survivors() == []


@pytest.mark.usefixtures("real")
def test_the_death_of_a_server_ends_the_wait(run: Run) -> None:
    """A job that would run for ever is not waited for, and the server is named."""
    mortal = (
        "import os, socket, time\n"
        "s = socket.create_server(('', int(os.environ['PORT'])))\n"
        "s.accept(); time.sleep(1); os._exit(4)"
    )
    server = run.session.start_service(run.server(mortal))
    run.session.until_ready(server, [])
    job = run.session.start_job(run.job("import time; time.sleep(1000)"))

    with pytest.raises(InvalidResult, match="exited with status 4") as caught:
        run.session.wait(job, [server])
    assert caught.value.step == "server"
    run.session.stop(job)


@pytest.mark.usefixtures("real")
def test_a_server_that_is_not_ready_in_time_is_told(run: Run) -> None:
    """The error says what was asked and what came back."""
    launch = run.server("import time; time.sleep(1000)")
    impatient = replace(launch.step, ready=Readiness(probe=Probe(kind="tcp"), within=0.5))
    server = run.session.start_service(Launch(impatient, None, {}))

    with pytest.raises(PlatformError, match=r"not ready within 0.5 s: connecting to .*refused"):
        run.session.until_ready(server, [])


@pytest.mark.usefixtures("real")
def test_the_deadline_ends_the_wait(backend: Backend, open_run: Callable[..., Run]) -> None:
    """A job that hangs is not waited for longer than the run may take."""
    timeout = 10.0 if backend.name == "kubernetes" else 1.5
    began = time.monotonic()
    run = open_run(timeout=timeout)
    job = run.session.start_job(run.job("import time; time.sleep(1000)"))

    with pytest.raises(TimedOut):
        run.session.wait(job, [])
    assert time.monotonic() - began < timeout + SOON


@pytest.mark.usefixtures("real")
def test_a_cancel_from_another_thread_ends_the_wait(run: Run) -> None:
    """The wait ends within a moment."""
    job = run.session.start_job(run.job("import time; time.sleep(1000)"))
    threading.Timer(0.3, run.control.cancel, ["enough"]).start()

    with pytest.raises(Cancelled, match="enough"):
        run.session.wait(job, [])


@pytest.mark.usefixtures("real")
def test_a_grace_ends_when_no_grace_may_last_longer(run: Run) -> None:
    """A server that ignores SIGTERM is killed then, though its own grace has just begun."""
    launch = run.server(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVE}")
    server = run.session.start_service(Launch(replace(launch.step, grace=600), None, {}))
    run.session.until_ready(server, [])
    began = time.monotonic()
    threading.Timer(0.3, run.control.end_graces, [0.3]).start()
    run.session.stop(server)

    assert time.monotonic() - began < 120


@pytest.mark.long
@pytest.mark.usefixtures("real")
def test_usage_is_sampled(run: Run) -> None:
    """The CPU time that samples tell of is the busy process's own, and so is its memory."""
    text = (
        "import time; x = bytearray(50_000_000); end = time.time() + 2.2\n"
        "while time.time() < end: pass\n"
        "print(time.process_time())"
    )
    job = run.session.start_job(run.job(text))
    run.session.wait(job, [])
    run.session.stop(job)

    samples = [sample for sample in run.journal.usage if sample.step == "client"]
    own = float(run.folder.log("client", 1).read_text())
    assert len(samples) >= 3
    assert sum(sample.cpu * sample.seconds for sample in samples) == pytest.approx(own, rel=0.4, abs=0.3)
    assert max(sample.memory for sample in samples) > 50_000_000


def test_a_command_that_does_not_exist_is_the_platforms_error(real: Backend, run: Run) -> None:
    """It is told at the start, by its name."""
    del real
    launch = Launch(Job(name="client", program=run.program("no-such-command")), 1, {})

    with pytest.raises(PlatformError, match="no-such-command") as caught:
        run.session.start_job(launch)
    assert caught.value.code == "command_not_found"


def test_what_is_no_step_of_this_backend_is_refused(run: Run) -> None:
    """A handle of another kind is a mistake of the caller, not a step."""
    with pytest.raises(TypeError):
        run.session.stop(object())  # type: ignore[arg-type]


def test_two_runs_at_once_do_not_see_each_other(real: Backend, open_run: Callable[..., Run]) -> None:
    """Closing one leaves the other's server and survivors alone."""
    del real
    one, two = open_run(), open_run()
    servers = [run.session.start_service(run.server()) for run in (one, two)]
    for run, server in zip((one, two), servers, strict=True):
        run.session.until_ready(server, [])

    assert servers[0].address != servers[1].address
    one.session.close()
    assert one.session.survivors() == []
    assert two.session.survivors()
    job = two.session.start_job(two.job("pass"))
    assert two.session.wait(job, [servers[1]]) == 0


def test_close_ends_everything_and_again_is_harmless(run: Run) -> None:
    """Also what nobody stopped."""
    run.session.start_service(run.server("import time; time.sleep(1000)"))
    run.session.close()
    run.session.close()

    assert run.session.survivors() == []


def test_a_closed_session_leaves_no_thread(run: Run) -> None:
    """Those that watch a server, ask whether it lives, read output and sample usage end with what they look at."""
    before = set(threading.enumerate())
    live = Liveness(probe=Probe(kind="tcp"), every=0.2, timeout=1, failures=100)
    server = run.session.start_service(Launch(replace(run.server().step, live=live), None, {}))
    run.session.until_ready(server, [])
    job = run.session.start_job(run.job("pass"))
    assert run.session.wait(job, [server]) == 0
    run.session.stop(job)
    run.session.stop(server)
    run.session.close()

    assert run.control.threads.join(10) == []
    assert set(threading.enumerate()) - before == set()

"""Questions over the network to a server: one try, one answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from windtunnel.backends.base import Address
from windtunnel.backends.health import Prober
from windtunnel.backends.platform import Collected, State
from windtunnel.backends.probes import Answer, describe, reach
from windtunnel.backends.running import Running
from windtunnel.backends.unit import Site, Unit
from windtunnel.plan import Probe, Program, Readiness, Service


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path is."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(int(self.path.strip("/").partition("?")[0] or "200"))
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    """The address of a server that answers."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Address("127.0.0.1", server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> Iterator[Address]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Address("127.0.0.1", taken.getsockname()[1])


class Asked:
    """A task at an address, whose commands answer with what they were."""

    def __init__(self, unit: Unit, log: Path) -> None:
        self.unit, self.log, self.address = unit, log, unit.site.address
        self.state = State()
        self.name = "server"

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Ask from here."""
        return reach(kind, self.address.host, port, target, seconds)

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Run nothing."""
        return Answer(ok=True, detail=f"{tuple(argv)} {seconds:g}")

    def collect(self, into: Path) -> Collected:
        """Have written nothing."""
        del into
        return Collected()

    def remove(self) -> None:
        """Leave nothing."""


def answer(probe: Probe, address: Address, log: Path = Path("/nonexistent"), seconds: float = 5) -> Answer:
    """Ask a service at an address once."""
    step = Service(name="server", program=Program(command=("serve",)), ready=Readiness(probe=probe, within=5))
    unit = Unit(step, None, 1, Site(address, Path(), Path(), Path()), ("serve",))
    running = Running(Mock(spec_set=["kind"], kind="process"), [unit], Path(), [Asked(unit, log)])
    return Prober(Mock(), lambda _services: None).ask(running, probe, seconds)


@pytest.mark.parametrize("status", [200, 204, 301, 399])
def test_a_status_below_400_is_a_yes(server: Address, status: int) -> None:
    """The answer says which it was."""
    assert answer(Probe(kind="http", target=f"/{status}"), server) == Answer(ok=True, detail=f"status {status}")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_status_from_400_is_a_no(server: Address, status: int) -> None:
    """A server that answers with an error is not ready."""
    assert answer(Probe(kind="http", target=f"/{status}"), server) == Answer(ok=False, detail=f"status {status}")


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_nobody_there_is_a_no(nobody: Address, kind: str) -> None:
    """The answer has the system's words."""
    probe = Probe(kind="tcp") if kind == "tcp" else Probe(kind="http", target="/")
    assert answer(probe, nobody) == Answer(ok=False, detail="connection refused")


def test_a_server_that_says_nothing_is_a_no() -> None:
    """A listener that accepts and never answers is given up after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1])
        probe = Probe(kind="http", target="/")
        found = answer(probe, address, seconds=0.05)
    assert found == Answer(ok=False, detail="no answer within 0.05 s", is_late=True)


def test_an_answer_that_is_no_http_is_told_as_such() -> None:
    """With its begin, and in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def speak() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP" + b"x" * 100 + b"\r\n")

        threading.Thread(target=speak).start()
        address = Address("127.0.0.1", other.getsockname()[1])
        found = answer(Probe(kind="http", target="/"), address, seconds=30)
    assert found == Answer(ok=False, detail=f"its answer is no HTTP: '220 mail.example ESMTP{'x' * 58}'")


def test_a_server_that_trickles_is_a_no() -> None:
    """An answer that comes byte by byte, without end, has the same time as any other."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def trickle() -> None:
            connection, _ = slow.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not done.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        address = Address("127.0.0.1", slow.getsockname()[1])
        found = answer(Probe(kind="http", target="/"), address, seconds=0.3)
        done.set()
        thread.join()
    assert found == Answer(ok=False, detail="no answer within 0.3 s", is_late=True)


@pytest.mark.parametrize("path", ["/200?name=größe", "/a b", "/line\nbreak"])
def test_a_path_that_no_request_can_have_is_an_answer_too(server: Address, path: str) -> None:
    """Whatever the path, asking does not fail."""
    assert isinstance(answer(Probe(kind="http", target=path), server).detail, str)


def test_an_open_port_is_a_yes(server: Address) -> None:
    """A TCP probe wants no more than a connection."""
    assert answer(Probe(kind="tcp"), server).ok


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_probes_own_port_wins(server: Address, nobody: Address, kind: str) -> None:
    """A server may answer for its health elsewhere."""
    probe = Probe(kind="tcp", port=server.port) if kind == "tcp" else Probe(kind="http", target="/", port=server.port)
    assert answer(probe, nobody).ok


def test_a_log_is_searched_line_by_line(tmp_path: Path, nobody: Address) -> None:
    """A missing log, or one without the line, is a no."""
    log, probe = tmp_path / "log", Probe(kind="log", target="^ready$")
    assert not answer(probe, nobody, log).ok
    log.write_text("not ready\n", encoding="utf-8")
    assert answer(probe, nobody, log) == Answer(ok=False, detail="not in the output so far")
    log.write_text("not ready\nready\n", encoding="utf-8")
    assert answer(probe, nobody, log) == Answer(ok=True, detail="found")


def test_a_command_is_run_where_the_server_runs(nobody: Address) -> None:
    """It is handed over with the time that it may take."""
    assert answer(Probe(kind="exec", command=("ping", "x")), nobody).detail == "('ping', 'x') 5"


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (Probe(kind="http", target="/ok"), "GET http://127.0.0.1:80/ok"),
        (Probe(kind="http", target="/ok", port=81), "GET http://127.0.0.1:81/ok"),
        (Probe(kind="tcp"), "connecting to 127.0.0.1:80"),
        (Probe(kind="log", target="^up"), "the log line /^up/"),
        (Probe(kind="exec", command=("ping", "-p", "80")), "the command `ping -p 80`"),
    ],
)
def test_a_question_has_words(probe: Probe, words: str) -> None:
    """As they stand in messages."""
    assert describe(probe, Address("127.0.0.1", 80)) == words

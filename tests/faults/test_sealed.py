"""Sealed steps on Docker: programs that try to get out do not, and what the run needs goes on working."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from support.docker_lab import client_server, docker_client, image, inventory, single_node
from support.lab import Lab
from windtunnel.backends import make_backend
from windtunnel.backends.base import RunContext
from windtunnel.backends.docker import run_spec
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Plan, Program
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

pytestmark = pytest.mark.usefixtures("docker_empty", "nothing_left")
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
SEALED = 'isolation = "sealed"'
ALLOWED = {"work", "out", "tmp"}


class Stream(socketserver.BaseRequestHandler):
    """Answers a connection."""

    def handle(self) -> None:
        """Send a byte."""
        self.request.sendall(b"!")


class Datagram(socketserver.BaseRequestHandler):
    """Answers a datagram."""

    def handle(self) -> None:
        """Send a byte back."""
        self.request[1].sendto(b"!", self.client_address)


@pytest.fixture
def outside() -> Iterator[int]:
    """A server on this machine, on all of its addresses; the port, for connections and datagrams."""
    with socketserver.ThreadingTCPServer(("", 0), Stream) as stream:
        port = stream.server_address[1]
        with socketserver.ThreadingUDPServer(("", port), Datagram) as datagram:
            for server in (stream, datagram):
                threading.Thread(target=server.serve_forever, daemon=True).start()
            yield port
            for server in (stream, datagram):
                server.shutdown()


@contextmanager
def other_run(name: str) -> Iterator[str]:
    """Lend the address of a server in a container on a network of its own, port 8000."""
    program = "import socket\ns = socket.create_server(('', 8000))\nwhile True: s.accept()[0].send(b'!')"
    with docker_client() as client:
        network = client.networks.create(name, driver="bridge")
        try:
            container = client.containers.run(
                image(), ["python3", "-c", program], name=name, network=name, detach=True, init=True
            )
            try:
                container.reload()
                yield container.attrs["NetworkSettings"]["Networks"][name]["IPAddress"]
            finally:
                container.remove(force=True, v=True)
        finally:
            network.remove()


def wait_open(host: str, port: int) -> None:
    """Wait until a server answers this machine."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((host, port), 1) as peer:
                assert peer.recv(1)
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    found = [
        item.address for group in psutil.net_if_addrs().values() for item in group if item.family == socket.AF_INET
    ]
    return next(address for address in found if not address.startswith("127."))


def escape(lab: Lab, isolation: str, targets: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Run the program that tries to get out; return what came of each way."""
    (lab.path / "data.txt").write_text("5")
    env = f'env = {{ TARGETS = {json.dumps(json.dumps(targets))}, INPUT = "in/data.txt" }}'
    tables = f'{RATE}\n[[inputs]]\nsrc = "data.txt"\npath = "in/data.txt"'
    command = ["python3", "/programs/escape.py"]
    text = single_node(command, tables, client=f'isolation = "{isolation}"\n{env}')
    result = lab.run(text, "--backend", "docker")
    assert result.exit_code == 0, result.stderr
    log = (Path(result.record["path"]) / "logs" / "client.1.log").read_text()
    found: dict[str, str] = {}
    for line in log.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    return found


def test_nothing_gets_out_of_a_sealed_step(lab: Lab, outside: int) -> None:
    """Neither connections nor datagrams, names, raw packets, privileges, inputs or files; unsealed, the same can."""
    name = f"windtunnel-test-{lab.path.name[-20:]}".strip("-")
    with other_run(name) as address:
        wait_open(address, 8000)
        targets = {"host": (own_address(), outside), "other run": (address, 8000)}
        sealed = escape(lab, "sealed", targets)
        unsealed = escape(lab, "open", targets)

    assert {way for way, came in sealed.items() if came == "yes"} == ALLOWED
    assert {way for way, came in unsealed.items() if came == "yes"} >= {
        *("connect host", "connect gateway", "bind, connect host", "datagram host", "datagram gateway"),
        *("raw socket", "packet socket", "other user", "give away", "input", "/etc", "/"),
    }
    assert {sealed["raw socket"], sealed["packet socket"]} <= {"EPERM", "EAFNOSUPPORT"}
    assert {sealed[way] for way in ("mount", "new user namespace", "other user", "give away")} == {"EPERM"}
    assert {sealed[way] for way in ("/", "/etc", "kernel", "input", "input, by its place", "new input")} == {"EROFS"}
    assert sealed["resolve"] == "unknown"
    assert sealed["vsock"] in {"EAFNOSUPPORT", "EPERM"}
    assert {sealed["connect other run"], unsealed["connect other run"]} <= {"ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"}


@pytest.mark.parametrize(
    ("server", "client", "target", "made"),
    [("sealed", "open", "plain", 2), ("open", "sealed", "user", 2), ("sealed", "sealed", "bare", 1)],
)
def test_sealed_and_open_steps_of_a_run_reach_each_other(
    lab: Lab, server: str, client: str, target: str, made: int
) -> None:
    """By name, whichever is sealed; probes are answered, and all that was made goes again."""
    text = client_server(
        server_keys=f'isolation = "{server}"\nlive = {{ tcp = true, every = "200ms", timeout = "20s" }}',
        client_keys=f'isolation = "{client}"',
        target=target,
    )
    result = lab.run(text, "--backend", "docker")

    assert result.exit_code == 0, result.stderr
    assert [metric["n"] for metric in result.record["metrics"].values()] == [1]
    assert result.record["resources"] == {"created": 2 + made, "gone": 2 + made, "left": []}


def test_a_sealed_server_that_is_not_ready_is_told_like_any_other(lab: Lab) -> None:
    """With the last answer, although it was asked from inside."""
    text = client_server(server="--host 127.0.0.1", server_keys=SEALED, ready='{ tcp = true, within = "2s" }')
    result = lab.run(text, "--backend", "docker")

    assert result.cause == "not_ready"
    assert "connection refused; in a container a server has to listen on all" in result.record["cause"]["message"]


def test_a_status_that_is_no_yes_is_told_from_inside(lab: Lab) -> None:
    """What the server answered is in the message."""
    text = client_server(server="--unready", server_keys=SEALED, ready='{ http = "/ready", within = "2s" }')
    result = lab.run(text, "--backend", "docker")

    assert result.cause == "not_ready"
    assert "/ready: status 503" in result.record["cause"]["message"]


def test_a_sealed_runs_volume_and_networks_go_when_the_driver_is_killed(
    lab: Lab, docker_empty: Callable[[], None]
) -> None:
    """The warden knows them; while they are there, the containers have what was promised, and no more."""
    (lab.path / "data.txt").write_text("5")
    inputs = '[[inputs]]\nsrc = "data.txt"\npath = "data.txt"'
    text = client_server(client="--hang-in 1", server_keys=SEALED, tables=inputs)
    with lab.start("run", str(lab.write(text)), "--backend", "docker", "--json") as process:
        lab.wait_for("iteration_started")
        name = lab.only_run().name
        with docker_client() as client:
            server = client.api.inspect_container(f"{name}-server")
            network = client.api.inspect_network(f"{name}-sealed")
            made = inventory(lab.path)
        process.kill()
        process.communicate()
    docker_empty()

    assert made == {
        *(f"container {name}-{step}" for step in ("server", "client.1")),
        *(f"network {name}{kind}" for kind in ("", "-sealed")),
        f"volume {name}-inputs",
    }
    host = server["HostConfig"]
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["Privileged"]) == (["ALL"], True, False)
    assert host["PidsLimit"] == 4096
    assert "no-new-privileges" in host["SecurityOpt"]
    assert list(server["NetworkSettings"]["Networks"]) == [f"{name}-sealed"]
    assert network["Internal"]


def test_a_daemon_that_cannot_seal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs half sealed; what was made goes again."""
    monkeypatch.setattr(run_spec, "NO_HOST_ADDRESS", {})
    job = Job(name="client", program=Program(command=("true",), image=image(), isolation="sealed"))
    plan = Plan(benchmark="half", strategy="single-node", timeout=60, steps=(job,))
    folder = RunFolder.create(tmp_path / "runs", plan, "")

    with pytest.raises(PlatformError, match=r"use Docker Engine 20\.10 or newer") as caught:
        make_backend("docker").open(RunContext(plan, folder, Journal(folder), Control(60), tmp_path))
    assert caught.value.code == "not_sealed"
    assert inventory(tmp_path) == set()

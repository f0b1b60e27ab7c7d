"""What makes a container sealed, and probes that are asked from inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from windtunnel.backends import make_backend
from windtunnel.backends.base import Address
from windtunnel.backends.docker.container_fs import ContainerFiles
from windtunnel.backends.docker.exec_probes import ASKERS, ask_inside
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.sealing import host_options, volumes
from windtunnel.backends.docker.tracer import pack_tracer
from windtunnel.backends.probes import Answer
from windtunnel.backends.support import check_support
from windtunnel.errors import PlatformError, Unsupported
from windtunnel.plan import Job, Plan, Probe, Program

OPEN, SEALED = Program(command=("x",)), Program(command=("x",), isolation="sealed")
NC = """#!{python}
import socket, sys, threading
is_look = sys.argv[1] == "-z"
host, port = sys.argv[-2:]
try:
    peer = socket.create_connection((host, int(port)), 5)
except OSError:
    sys.exit(1)
if not is_look:
    peer.sendall(sys.stdin.buffer.read())
    while data := peer.recv(4096):
        sys.stdout.buffer.write(data)
"""


class Handler(BaseHTTPRequestHandler):
    """Answers /ready and what a percent-encoded path asks for; else 404."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(204 if self.path in {"/ready", "/a%20b%22c$d"} else 404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Address]:
    """A web server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Address("127.0.0.1", found.server_address[1])
        found.shutdown()


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[[tuple[str, ...]], Answer]:
    """Run commands as a container would, on this machine; its nc is one of the test's own."""
    (tmp_path / "nc").write_text(NC.format(python=sys.executable))
    (tmp_path / "nc").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(command: tuple[str, ...]) -> Answer:
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False
        )
        last = done.stdout.strip().splitlines()[-1:]
        detail = f"exited with status {done.returncode}" + (f": {last[0].strip()}" if last else "")
        return Answer(ok=done.returncode == 0, detail=detail)

    return run


@pytest.mark.parametrize("program", ASKERS)
@pytest.mark.parametrize(
    ("probe", "detail"),
    [
        (Probe(kind="tcp"), "connected"),
        (Probe(kind="tcp", port=9), "connection refused"),
        (Probe(kind="http", target="/ready"), "status 204"),
        (Probe(kind="http", target='/a b"c$d'), "status 204"),
        (Probe(kind="http", target="/x"), "status 404"),
        (Probe(kind="http", target="/ready", port=9), "connection refused"),
    ],
    ids=str,
)
def test_a_probe_from_inside_comes_to_what_one_from_here_does(
    server: Address,
    run_command: Callable[[tuple[str, ...]], Answer],
    program: str,
    probe: Probe,
    detail: str,
) -> None:
    """In the same words, whatever program of the image asks."""
    address = Address(server.host, probe.port or server.port)
    assert ask_inside(probe.kind, address, probe.target, program, run_command) == Answer(
        ok=detail in {"connected", "status 204"}, detail=detail
    )


def test_an_answer_that_does_not_come_in_time_is_told_so(server: Address) -> None:
    """Nobody takes the lack of an answer for a refusal."""
    late = Answer(ok=False, detail="no answer within 1 s", is_late=True)

    assert ask_inside("http", server, "/", "bash", lambda _command: late) == late
    assert ask_inside("tcp", server, "", "nc", lambda _command: late) == late


def test_an_image_that_cannot_ask_is_told() -> None:
    """Exit 3 with what it could have, and what else can be done; the image is looked at once."""
    asked: list[str] = []

    inside = ContainerFiles(cast("Any", SimpleNamespace(stat=lambda _container, path: asked.append(path))))
    image = Image("tiny:1", "sha256:1", None, "", {"PATH": "/bin:/opt"})
    for _time in range(2):
        with pytest.raises(PlatformError, match=r"image tiny:1 has none of bash, nc, python3; use an exec") as caught:
            inside.find_asker("1", image, "server")
    assert caught.value.code == "no_asker"
    assert asked == [f"{folder}/{program}" for program in ASKERS for folder in ("/bin", "/opt")]


def test_an_open_step_has_what_docker_usually_gives() -> None:
    """And may not gain privileges."""
    assert host_options(OPEN, (1, 41), None) == {"SecurityOpt": ["no-new-privileges"]}
    assert volumes(OPEN) == []


def test_a_sealed_step_has_no_privileges_and_sees_inputs_read_only() -> None:
    """Nor does a name that the run does not know go to the machine's name server."""
    options = host_options(SEALED, (1, 43), "inputs")

    assert options["CapDrop"] == ["ALL"]
    assert options["ReadonlyRootfs"]
    assert options["Dns"] == ["127.0.0.1"]
    assert [(mount["Source"], mount["ReadOnly"]) for mount in options["Mounts"]] == [("inputs", True)]
    assert options["SecurityOpt"] == ["no-new-privileges"]
    assert volumes(SEALED) == ["/windtunnel"]


def test_docker_before_23_gets_a_profile_that_denies_the_hypervisor() -> None:
    """Every family of sockets but those of the container's own network, and io_uring, which would go round it."""
    _rule, text = host_options(SEALED, (1, 41), None)["SecurityOpt"][1].split("=", 1)
    calls = json.loads(text)["syscalls"]
    families = [call["args"][0] for call in calls if "socket" in call["names"]]

    def is_denied(family: int) -> bool:
        return any(
            family > item["value"] if item["op"] == "SCMP_CMP_GT" else family == item["value"] for item in families
        )

    assert [family for family in range(46) if not is_denied(family)] == [1, 2, 10, 16]
    assert {"io_uring_setup", "mount", "unshare", "bpf"} <= set(calls[0]["names"])


def test_a_tracer_for_another_architecture_is_refused() -> None:
    """Its program would not run there."""
    with pytest.raises(
        PlatformError, match=r"takes strace from this machine \(.*\), and the daemon's is vax"
    ) as caught:
        pack_tracer(Path("/usr/bin/strace"), "vax")
    assert caught.value.code == "strace_unfit"


def test_a_tracer_goes_with_its_own_libraries_and_loader() -> None:
    """Packed like any program of this machine; run alone, it works."""
    import platform

    shell = Path("/bin/sh").resolve()
    tracer = pack_tracer(shell, platform.machine())

    assert tracer.files[shell.name] == shell
    assert all(path.is_file() for path in tracer.files.values())
    assert tracer.command[-1] == f"/windtunnel/tools/{shell.name}"


@pytest.mark.parametrize("name", ["kubernetes", "recording"])
def test_a_backend_that_cannot_trace_refuses(name: str) -> None:
    """It names those that can."""
    program = Program(command=("x",), image="i", trace=True)
    plan = Plan(benchmark="b", strategy="s", timeout=1, steps=(Job(name="client", program=program),))

    with pytest.raises(Unsupported, match=f"client: trace = true: the {name} backend cannot .* process or docker"):
        check_support(plan, make_backend(name))


def test_a_backend_that_cannot_seal_refuses() -> None:
    """It names the one that can; nobody runs open by mistake."""
    program = Program(command=("x",), image="i", isolation="sealed")
    plan = Plan(benchmark="b", strategy="s", timeout=1, steps=(Job(name="client", program=program),))

    with pytest.raises(Unsupported, match=r"client: .*sealed.* use --backend docker"):
        check_support(plan, make_backend("process"))

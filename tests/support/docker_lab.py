"""Docker for tests: images of the test programs, and what the daemon holds, counted from outside."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import docker
import docker.errors

from cluster import images as cluster_images
from support.lab import PROGRAMS, Lab, Result
from support.needs import lacking
from windtunnel.backends import make_backend

DOCKERFILE = Path(__file__).with_name("Dockerfile")
SERVERS_DOCKERFILE = Path(__file__).with_name("servers.Dockerfile")
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'


def run(lab: Lab, text: str, *arguments: str) -> Result:
    """Run a benchmark on Docker."""
    return lab.run(text, "--backend", "docker", *arguments)


def shell(script: str) -> list[str]:
    """Return the command of a shell script."""
    return ["sh", "-c", script]


def need_docker() -> None:
    """Skip the test without a daemon; fail it if ``WINDTUNNEL_REQUIRE`` asks for one."""
    if reason := make_backend("docker").available():
        lacking(f"docker: {reason}", "docker")


def need_project_images() -> None:
    """Skip the test without the project's own images; fail it if ``WINDTUNNEL_REQUIRE`` asks for Docker."""
    need_docker()
    if missing := sorted(cluster_images.PROJECT.keys() - cluster_images.idents().keys()):
        lacking(f"docker: no image {', '.join(missing)}; make images", "docker")


@contextmanager
def docker_client() -> Iterator[docker.DockerClient]:
    """Lend a client of the daemon, closed afterwards."""
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()


@cache
def image(target: str = "plain") -> str:
    """Return the name of an image for tests, built once for what it is made of now.

    Args:
        target: ``plain``, ``user`` or ``bare`` have the test programs; ``servers`` has real servers.
    """
    need_docker()
    sources = (SERVERS_DOCKERFILE,) if target == "servers" else (DOCKERFILE, *sorted(PROGRAMS.glob("*.py")))
    content = b"".join(path.read_bytes() for path in sources)
    tag = f"windtunnel-tests:{target}-{hashlib.sha256(content).hexdigest()[:12]}"
    with docker_client() as client:
        try:
            client.images.get(tag)
        except docker.errors.ImageNotFound:
            _build(client, tag, sources[0], target)
    return tag


def _build(client: docker.DockerClient, tag: str, dockerfile: Path, target: str) -> None:
    try:
        client.images.build(
            path=str(dockerfile.parents[1]), dockerfile=str(dockerfile), tag=tag, target=target, rm=True
        )
    except (docker.errors.BuildError, docker.errors.APIError) as error:
        lacking(f"docker: the tests' image cannot be built: {error}", "docker")


def single_node(
    command: list[str],
    tables: str = "",
    *,
    client: str = "",
    target: str = "plain",
    keys: str = "",
    name: str | None = None,
) -> str:
    """Return a benchmark of one command in the tests' image, or that of `name`; `client` is more of its table."""
    return f"""
spec_version = "1"
[benchmark]
name = "alone"
strategy = "single-node"
{keys}
[client]
image = "{name or image(target)}"
command = {json.dumps(command)}
{client}
{tables}
"""


MPI_IMAGE = "windtunnel-openmpi"
FIRST = 'test "$$RANK" != 0 || echo rate=$ITERATION'
"""What the first rank alone prints."""


def gang(client: str, keys: str = "size = 2", script: str = FIRST, tables: str = "") -> str:
    """Return a benchmark of a gang whose ranks run a shell script; `client` and `keys` are more of its tables."""
    return f"""
spec_version = "1"
[benchmark]
name = "gang"
strategy = "mpi"
timeout = "3m"
[gang]
{keys}
[client]
image = "{MPI_IMAGE}"
command = {json.dumps(["sh", "-c", script])}
{client}
{tables}
"""


def client_server(
    *,
    server: str = "",
    client: str = "",
    server_keys: str = "",
    client_keys: str = "",
    tables: str = "",
    keys: str = "",
    ready: str = '{ http = "/ready", within = "20s" }',
    target: str = "plain",
) -> str:
    """Return a benchmark of the two test programs in the tests' image; `server` and `client` are more arguments."""
    server_command = ["python3", "/programs/server.py", "--port", "$PORT", "--host", "0.0.0.0", *server.split()]
    client_command = ["python3", "/programs/client.py", "$SERVER_HOST", "$SERVER_PORT", *client.split()]
    return f"""
spec_version = "1"
[benchmark]
name = "faulty"
strategy = "client-server"
{keys}
[server]
image = "{image(target)}"
command = {json.dumps(server_command)}
port = 0
ready = {ready}
grace = "1s"
{server_keys}
[client]
image = "{image(target)}"
command = {json.dumps(client_command)}
{client_keys}
{tables}
"""


@contextmanager
def image_with(name: str, kind: bytes, text: str) -> Iterator[str]:
    """Lend an image that is the tests' and has one more entry, a file that holds `text` or a link that leads there."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = kind, len(text) if kind == tarfile.REGTYPE else 0, text
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(text.encode()))
    with docker_client() as client:
        container = client.containers.create(image(), ["true"])
        try:
            container.put_archive("/", data.getvalue())
            made = container.commit("windtunnel-tests", f"with-{uuid4().hex}")
        finally:
            container.remove(v=True)
        try:
            yield made.tags[0]
        finally:
            client.images.remove(made.id, force=True)


@contextmanager
def foreign_image() -> Iterator[str]:
    """Lend an image for another architecture, whose one program, ``/program``, does not run here."""
    with tempfile.TemporaryDirectory() as folder, docker_client() as client:
        program = Path(folder, "program")
        program.write_bytes(b"\x7fELF, but of another machine")
        program.chmod(0o755)
        Path(folder, "Dockerfile").write_text("FROM scratch\nCOPY program /program\n", encoding="utf-8")
        tag = f"windtunnel-tests:foreign-{uuid4().hex}"
        client.images.build(path=folder, tag=tag, platform="linux/s390x", rm=True)
        try:
            yield tag
        finally:
            client.images.remove(tag, force=True)


def inventory(runs: Path) -> set[str]:
    """Return the containers, networks and volumes of all runs below a folder, found by name, whatever their labels."""
    ids = [path.parent.name for path in runs.glob("**/plan.json")]
    with docker_client() as client:
        names = {f"container {item['Names'][0].lstrip('/')}" for item in client.api.containers(all=True)}
        names |= {f"network {item['Name']}" for item in client.api.networks()}
        names |= {f"volume {item['Name']}" for item in client.api.volumes()["Volumes"] or ()}
    return {name for name in names if any(run_id in name for run_id in ids)}


def volumes() -> set[str]:
    """Return the names of all volumes."""
    with docker_client() as client:
        return {item["Name"] for item in client.api.volumes()["Volumes"] or ()}


def volumes_of(run_id: str, since: float) -> set[str]:
    """Return the volumes that the containers of a run had since a moment, as Docker's events tell."""
    with docker_client() as client:
        events = list(client.events(since=int(since), until=int(time.time()) + 1, decode=True))
    found = [(event["Type"], event["Action"], event["Actor"]["ID"], event["Actor"]["Attributes"]) for event in events]
    own = {ident for kind, _, ident, more in found if kind == "container" and more.get("windtunnel.dev/run") == run_id}
    return {name for kind, act, name, more in found if (kind, act) == ("volume", "mount") and more["container"] in own}


def wait_empty(runs: Path, seconds: float = 30.0) -> None:
    """Wait until the daemon holds nothing of the runs below a folder."""
    deadline = time.monotonic() + seconds
    while left := inventory(runs):
        assert time.monotonic() < deadline, f"still in Docker: {left}"
        time.sleep(0.1)

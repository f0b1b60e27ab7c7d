"""Gangs for tests of the launch alone: real containers with real sshd, and the launcher's container beside them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any
from uuid import uuid4

import docker
import docker.errors
from docker.models.containers import Container

from cluster.shell import wait_until
from support import docker_lab
from windtunnel.errors import WindtunnelError
from windtunnel.mpi.keys import Keys, make_keys
from windtunnel.mpi.launch_report import LaunchReport
from windtunnel.mpi.launch_script import Host, Order, beside, launch_argv, launch_files
from windtunnel.mpi.launch_trouble import find_trouble
from windtunnel.mpi.launchers import Implementation
from windtunnel.mpi.sshd import member_argv, member_files

WORK = PurePath("/windtunnel/work")
METRICS = PurePath("/windtunnel/results/metrics.jsonl")
PORT = 2222
END_SECONDS = 120


@dataclass(frozen=True)
class Kind:
    """An MPI and where it is.

    Attributes:
        implementation: Whose it is.
        version: How its version begins.
        image: The image.
        path: The ``PATH`` that finds it.
    """

    implementation: Implementation
    version: str
    image: str
    path: str = "/usr/local/bin:/usr/bin:/bin"


KINDS = {
    "openmpi 4": Kind("openmpi", "4.", "windtunnel-openmpi"),
    "openmpi 5": Kind("openmpi", "5.", "windtunnel-mpi", f"/opt/openmpi/bin:{Kind.path}"),
    "mpich": Kind("mpich", "5.", "windtunnel-mpi", f"/opt/mpich/bin:{Kind.path}"),
    "intel": Kind("intel", "2021.", "windtunnel-mpi", f"/opt/intel/bin:{Kind.path}"),
}


@dataclass(frozen=True)
class Ended:
    """A launch that is over: its status, what was printed, what it found out, and what was wrong with it."""

    status: int
    output: str
    errors: str
    metrics: str
    report: LaunchReport
    trouble: WindtunnelError | None

    @property
    def code(self) -> str | None:
        """The cause, as a word."""
        return self.trouble.code if self.trouble else None

    @property
    def message(self) -> str:
        """The cause, in words."""
        return self.trouble.message if self.trouble else ""

    @property
    def statuses(self) -> dict[int, int | None]:
        """What each rank that began ended with."""
        return {rank: end.status for rank, end in self.report.ranks.items()}


@dataclass
class GangLab:
    """A gang, and launches on it, one at a time.

    Attributes:
        client: Docker's.
        kind: Its MPI.
        user: As whom all of it runs.
        keys: The keys.
        options: More of what its containers are made with.
        members: Its containers.
        launcher: That of the last launch.
    """

    client: docker.DockerClient
    kind: Kind
    user: int = 1000
    keys: Keys = field(default_factory=make_keys)
    options: Mapping[str, Any] = field(default_factory=dict)
    members: list[Container] = field(default_factory=list)
    launcher: Container | None = None

    def add(self, *, kind: Kind | None = None, keys: Keys | None = None, is_started: bool = True) -> Container:
        """Make a member, of another kind or with other keys if that is what the test is about."""
        files = member_files(keys or self.keys, PORT)
        member = self.container(kind or self.kind, member_argv(WORK), files, {})
        self.members.append(member)
        if is_started:
            member.start()
        return member

    def order(self, command: Sequence[str], hosts: Sequence[Host] | None = None, **changes: Any) -> Order:
        """Return an order to run a command on the members, one rank each."""
        there = [Host(name=f"gang-{number}", address=address(each)) for number, each in enumerate(self.members)]
        asked = {
            "implementation": self.kind.implementation,
            "hosts": there if hosts is None else hosts,
            "slots": 1,
            "variables": ["WINDTUNNEL_METRICS"],
            "options": [],
            "within": 30.0,
            "port": PORT,
            "work": WORK,
            "metrics": METRICS,
            "iteration": 1,
        } | changes
        return Order(command=command, ranks=asked.pop("ranks", len(there) * asked["slots"]), **asked)

    def begin(self, order: Order, env: Mapping[str, str] | None = None) -> None:
        """Start a launch."""
        self.forget()
        files = launch_files(order, self.keys if order.hosts else None)
        all_env = {"WINDTUNNEL_METRICS": str(METRICS), **(env or {})}
        self.launcher = self.container(self.kind, launch_argv(WORK), files, all_env)
        self.launcher.start()

    def finish(self, order: Order) -> Ended:
        """Wait for the end of a launch."""
        launcher = self.launcher
        assert launcher
        status = launcher.wait(timeout=END_SECONDS)["StatusCode"]
        report = LaunchReport.parse(read(launcher, beside(METRICS)), order)
        output = launcher.logs(stdout=True, stderr=False).decode(errors="replace")
        errors = launcher.logs(stdout=False, stderr=True).decode(errors="replace")
        return Ended(status, output, errors, read(launcher, METRICS), report, find_trouble(report, "client"))

    def run(self, *command: str, env: Mapping[str, str] | None = None, **changes: Any) -> Ended:
        """Launch a command and wait for its end."""
        order = self.order(command, **changes)
        self.begin(order, env)
        return self.finish(order)

    def says(self, text: str, times: int) -> bool:
        """Tell whether what runs has printed a text so many times."""
        return self.launcher is not None and self.launcher.logs(stderr=False).decode().count(text) >= times

    def programs(self) -> list[str]:
        """Return the command lines of all that runs in the members, but for their servers."""
        lines = [row[1] for each in self.members for row in each.top(ps_args="-eo pid,args")["Processes"]]
        return [line for line in lines if "sshd" not in line and "docker-init" not in line and "member.sh" not in line]

    def container(self, kind: Kind, argv: list[str], files: Mapping[str, str], env: Mapping[str, str]) -> Container:
        """Make a container with files that are somebody else's, and only to be read."""
        made = self.client.containers.create(
            kind.image,
            argv,
            name=f"windtunnel-tests-{uuid4().hex}",
            user=str(self.user),
            environment={"PATH": kind.path, **env},
            working_dir=str(WORK),
            init=True,
            volumes=[str(WORK.parent)],
            security_opt=["no-new-privileges"],
            **self.options,
        )
        made.put_archive(str(WORK.parent), _archive(files, self.user))
        return made

    def forget(self) -> None:
        """Remove the launcher."""
        if self.launcher:
            self.launcher.remove(force=True, v=True)
        self.launcher = None


@contextmanager
def gang(name: str, size: int = 2, **options: Any) -> Iterator[GangLab]:
    """Lend a gang of a kind that is up; it is removed afterwards."""
    docker_lab.need_project_images()
    with docker_lab.docker_client() as client:
        lab = GangLab(client, KINDS[name], **options)
        try:
            for _ in range(size):
                lab.add()
            yield lab
        finally:
            lab.forget()
            for member in lab.members:
                member.remove(force=True, v=True)


def address(member: Container) -> str:
    """Return where a container is; what answers nobody if it is not started."""
    member.reload()
    return str(member.attrs["NetworkSettings"]["IPAddress"] or "192.0.2.1")


def read(container: Container, path: PurePath) -> str:
    """Return the text of a file of a container; nothing if it is not there."""
    try:
        chunks, _ = container.get_archive(str(path))
    except docker.errors.NotFound:
        return ""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        file = archive.extractfile(path.name)
        return file.read().decode() if file else ""


def wait_gone(lab: GangLab) -> None:
    """Wait until nothing runs in the members but their servers."""
    wait_until("nothing runs in the members", lambda: not lab.programs(), 30)


def wait_says(lab: GangLab, text: str, times: int) -> None:
    """Wait until a launch has printed a text so many times."""
    wait_until(f"the launch prints {text!r}", partial(lab.says, text, times), 60)


def _archive(files: Mapping[str, str], user: int) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for folder in (WORK, WORK / ".windtunnel", METRICS.parent):
            entry = tarfile.TarInfo(str(folder.relative_to(WORK.parent)))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, user, user
            archive.addfile(entry)
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{WORK.name}/{path}")
            entry.mode, entry.uid, entry.size = 0o444, 12345, len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()

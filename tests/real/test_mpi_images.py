"""The images for MPI: what they have, and what no image may have."""

from __future__ import annotations

import subprocess

import pytest

from support import docker_lab

PREFIXES = {"openmpi 4": ("windtunnel-openmpi", "/usr/bin")} | {
    name: ("windtunnel-mpi", f"/opt/{name}/bin") for name in ("openmpi", "mpich", "intel")
}
EXCHANGE = """\
from mpi4py import MPI
rank, sent, received = MPI.COMM_WORLD.rank, bytearray(2_000_000), bytearray(2_000_000)
sent[:] = bytes([rank + 1]) * len(sent)
MPI.COMM_WORLD.Sendrecv(sent, 1 - rank, 0, received, 1 - rank, 0)
found = MPI.COMM_WORLD.gather(set(received))
if rank == 0:
    print(found)
"""


def say(image: str, *command: str, path: str = "/usr/bin", user: str = "1000") -> str:
    """Return all that a command prints in an image."""
    docker_lab.need_project_images()
    options = ["--rm", "--user", user, "--env", f"PATH={path}:/usr/local/bin:/usr/bin:/bin"]
    words = ["docker", "run", *options, image, *command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("image", ["windtunnel-openmpi", "windtunnel-mpi"])
def test_an_image_has_a_server_and_no_key(image: str) -> None:
    """What identifies a host or lets a user in is a run's own, and would be everybody's in an image."""
    programs, user = "ls /usr/bin/ssh /usr/sbin/sshd", "getent passwd 1000"
    keys = "find / -xdev -name '*_key*' -path '*ssh*'; ls /root/.ssh /home/mpi/.ssh 2>/dev/null || true"
    told = say(image, "sh", "-c", f"{programs}; {user}; {keys}", user="0")
    assert told.split() == ["/usr/bin/ssh", "/usr/sbin/sshd", "mpi:x:1000:1000::/home/mpi:/bin/sh"]


@pytest.mark.full
@pytest.mark.parametrize("name", PREFIXES)
def test_ranks_of_one_container_exchange_messages(name: str) -> None:
    """Though they may not read each other's memory, which MPICH fails of and Open MPI 4 complains of."""
    image, path = PREFIXES[name]
    many = ["--oversubscribe"] if "openmpi" in name else []
    told = say(image, "mpirun", *many, "-np", "2", "python3", "-c", EXCHANGE, path=path)
    assert told == "[{2}, {1}]\n"

"""The Docker daemon, by its command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.shell import Failed, run, succeeds, tail

LABEL = "windtunnel.cluster"
"""On each container and network of the cluster; its value is the cluster's key."""
NODES_LABEL = "windtunnel.nodes"
NETWORK = "windtunnel-cluster"
CONTROL_PLANE = "windtunnel-control-plane"
IMAGES = "windtunnel-cluster-images"
"""How the volumes with images are called."""
IMAGES_MOUNT = "/images"
# Not `--privileged`: that asks for SYS_RESOURCE, which root does not have everywhere. A node needs no more than these.
_RIGHTS = (
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=private",
    "--device=/dev/kmsg",
)
CTR = ("ctr", "-n", "k8s.io")
_SUBNETS = [f"172.{second}.86" for second in (30, 29, 28, 27, 26)]


@dataclass(frozen=True)
class Container:
    """A container of a cluster, as the daemon lists it."""

    name: str
    running: bool
    key: str
    nodes: int


@dataclass(frozen=True)
class Node:
    """A node to start: number 0 is the control plane, the others are workers."""

    number: int
    network: str
    workers: int

    @property
    def name(self) -> str:
        """Its host name, and a worker's name in Kubernetes."""
        return f"node{self.number}" if self.number else "control-plane"

    @property
    def container(self) -> str:
        """The name of its container."""
        return f"windtunnel-{self.name}"

    @property
    def script(self) -> str:
        """What it runs."""
        return "worker" if self.number else "control-plane"

    @property
    def address(self) -> str:
        """Its address in the nodes' network."""
        return f"{self.network}.{10 + self.number if self.number else 2}"

    @property
    def pods(self) -> str:
        """The addresses of its pods."""
        return f"10.244.{self.number}.0/24"

    @property
    def settings(self) -> dict[str, str]:
        """What its script has to know."""
        # Kubernetes' programs are in Go: with more memory, they collect their garbage less often.
        return {"NETWORK": self.network, "NODES": str(self.workers), "NODE": str(self.number), "GOGC": "400"}


def require() -> None:
    """See to it that there is a daemon that answers.

    Raises:
        Failed: There is none; one line says what to do.
    """
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=30)
    except Failed as error:
        raise Failed(
            "the test cluster needs Docker, and it does not answer: install and start it, or set KUBECONFIG and use a "
            f"cluster of your own ({str(error).splitlines()[-1].strip()})"
        ) from error


def containers() -> list[Container]:
    """List the containers of any cluster of ours, running or not."""
    return parse(run(["docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{json .}}"]))


def parse(listed: str) -> list[Container]:
    """Read what ``docker ps --format '{{json .}}'`` prints."""
    found = []
    for row in map(json.loads, listed.splitlines()):
        labels = dict(pair.partition("=")[::2] for pair in row["Labels"].split(","))
        count = labels.get(NODES_LABEL, "")
        nodes = int(count) if count.isdecimal() else 0
        found.append(Container(row["Names"], row["State"] == "running", labels.get(LABEL, ""), nodes))
    return sorted(found, key=lambda each: (each.name != CONTROL_PLANE, len(each.name), each.name))


def create_network(key: str) -> str:
    """Make the nodes' network; return the first three numbers of its addresses.

    Raises:
        Failed: None of the ranges is free.
    """
    for prefix in _SUBNETS:
        command = ["docker", "network", "create", "--label", f"{LABEL}={key}", "--subnet", f"{prefix}.0/24", NETWORK]
        if succeeds(command):
            return prefix
    raise Failed(f"no network for the nodes: {', '.join(_SUBNETS)}.0/24 are all taken")


def gateway() -> str:
    """Return this machine's address in the nodes' network, at which their pods reach it."""
    of_node = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
    return run(["docker", "inspect", CONTROL_PLANE, "--format", of_node]).strip()


def start_node(node: Node, image: str, mounts: dict[str, str], labels: dict[str, str]) -> None:
    """Start a node's container; its script says the rest."""
    options = ["--network", NETWORK, "--ip", node.address]
    options += [f"--env={name}={value}" for name, value in node.settings.items()]
    options += [f"--label={name}={value}" for name, value in labels.items()]
    start(node.name, image, node.script, mounts, options)


def start(name: str, image: str, script: str, mounts: dict[str, str], options: Sequence[str]) -> None:
    """Start a container that may do what a node does.

    Args:
        name: The node's.
        image: The nodes' image.
        script: Which of its scripts the container runs.
        mounts: What is mounted where: volumes to be written, and paths to be read.
        options: What `docker run` is told beside that.
    """
    command = ["docker", "run", "--detach", "--name", f"windtunnel-{name}", "--hostname", name, *options]
    command += ["--tmpfs=/run", "--tmpfs=/tmp:exec", *_RIGHTS]
    command += [f"--volume={source}:{target}{':ro' * source.startswith('/')}" for source, target in mounts.items()]
    run([*command, image, "bash", f"/cluster/node/{script}.sh"])


def remove_all() -> None:
    """Remove the containers of any cluster of ours, with their volumes, and the network."""
    ids = run(["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}"]).split()
    if ids:
        run(["docker", "rm", "--force", "--volumes", *ids])
    networks = run(["docker", "network", "ls", "--quiet", "--filter", f"label={LABEL}"]).split()
    if networks:
        run(["docker", "network", "rm", *networks])


def in_node(name: str, command: Sequence[str]) -> str:
    """Run a program in a node's container and return what it prints."""
    return run(["docker", "exec", f"windtunnel-{name}", *command], timeout=120)


def works_in_node(name: str, command: Sequence[str]) -> bool:
    """Say whether a program in a node's container ends well."""
    return succeeds(["docker", "exec", f"windtunnel-{name}", *command])


def import_images(archive: Path, nodes: Sequence[str]) -> None:
    """Hand an archive of images to the container runtimes of nodes, all at once.

    Raises:
        Failed: One does not take it.
    """
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_import, archive), nodes))


def _import(archive: Path, node: str) -> None:
    command = ["docker", "exec", "--interactive", f"windtunnel-{node}", *CTR, "images", "import", "-"]
    with archive.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"images can't be loaded into {node}:\n{tail(done.stderr.decode(errors='replace'))}")

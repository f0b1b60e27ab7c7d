"""The Docker daemon, by its command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from cluster.shell import Failed, run, succeeds

LABEL = "windtunnel.cluster"
"""On each container and network of the cluster; its value is the cluster's key."""
NODES_LABEL = "windtunnel.nodes"
NETWORK = "windtunnel-cluster"
CONTROL_PLANE = "windtunnel-control-plane"
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


def start_node(node: Node, image: str, mounts: dict[Path, str], labels: dict[str, str]) -> None:
    """Start a node's container; its script says the rest."""
    command = ["docker", "run", "--detach", "--name", node.container, "--hostname", node.name]
    command += ["--network", NETWORK, "--ip", node.address, "--tmpfs=/run", "--tmpfs=/tmp:exec", *_RIGHTS]
    command += [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
    command += [f"--env={name}={value}" for name, value in node.settings.items()]
    command += [f"--label={name}={value}" for name, value in labels.items()]
    run([*command, image, "bash", f"/cluster/node/{node.script}.sh"])


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


def pipe_images(images: Sequence[str], nodes: Sequence[str]) -> None:
    """Hand images, with their tags, to the container runtimes of nodes, all at once.

    Raises:
        Failed: One does not take them.
    """
    with ExitStack() as stack:
        importers = {name: stack.enter_context(_importer(name)) for name in nodes}
        save = stack.enter_context(subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE))
        assert save.stdout is not None
        while part := save.stdout.read(1 << 20):
            for importer in importers.values():
                assert importer.stdin is not None
                # One that ended has said why.
                with suppress(BrokenPipeError):
                    importer.stdin.write(part)
        said = {name: importer.communicate()[1] for name, importer in importers.items()}
    for name, importer in importers.items():
        if importer.returncode or save.returncode:
            words = said[name].decode(errors="replace").strip()
            raise Failed(f"{', '.join(images)} can't be loaded into {name}: {words}")


def _importer(name: str) -> subprocess.Popen[bytes]:
    command = ["docker", "exec", "--interactive", f"windtunnel-{name}", "ctr", "-n", "k8s.io", "images", "import", "-"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

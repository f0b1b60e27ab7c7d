"""The cluster's certificates and kubeconfigs, made by kubeadm."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster import places, programs
from cluster.docker import Node
from cluster.kubectl import filled
from cluster.shell import run


def make(nodes: Sequence[Node]) -> None:
    """Make everything anew in the state folder.

    Args:
        nodes: The control plane and the workers.
    """
    state = places.state()
    shutil.rmtree(state, ignore_errors=True)
    (state / "conf").mkdir(parents=True, mode=0o700)
    config = state / "kubeadm.yaml"
    settings = {"address": nodes[0].address, "version": programs.version_of("kube"), "state": str(state)}
    config.write_text(filled("nodes/kubeadm.yaml", **settings))
    phase = [str(places.binary("kubeadm")), "init", "phase"]
    run([*phase, "certs", "all", f"--config={config}"])
    run([*phase, "kubeconfig", "all", f"--config={config}", f"--kubeconfig-dir={state / 'conf'}"])
    make_user(config, "kube-proxy", "system:kube-proxy", "system:node-proxiers")
    for node in nodes[1:]:
        make_user(config, node.name, f"system:node:{node.name}", "system:nodes")


def make_user(config: Path, name: str, user: str, group: str) -> None:
    """Write the kubeconfig of a program on a node."""
    command = ["kubeconfig", "user", f"--config={config}", f"--client-name={user}", f"--org={group}"]
    (places.state() / "conf" / f"{name}.conf").write_text(run([places.binary("kubeadm"), *command]))

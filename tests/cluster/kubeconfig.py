"""The context ``windtunnel`` in the user's kubeconfig.

It is set and taken out by ``kubectl config``, which leaves the others as they are. The file is the one that
kubectl means: ``$KUBECONFIG``, else ``~/.kube/config``.
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from cluster import places
from cluster.shell import run

CONTEXT = "windtunnel"


def kubectl(*arguments: str) -> str:
    """Run kubectl as the user would."""
    return run([str(places.kubectl() or "kubectl"), *arguments])


def read(path: Path | None = None) -> dict[str, Any]:
    """Return a kubeconfig, the user's if no other is named, with its certificates."""
    command = ["config", "view", "--raw", "--output=json", *([f"--kubeconfig={path}"] if path else [])]
    found: dict[str, Any] = json.loads(kubectl(*command))
    return found


def edits(server: str, folder: Path, name: str = CONTEXT) -> list[list[str]]:
    """Return the commands after ``kubectl config`` that put a cluster and its user under a name.

    Args:
        server: The API server's address.
        folder: Where ``ca.crt``, ``client.crt`` and ``client.key`` lie; the kubeconfig takes in what they hold.
        name: Of the cluster, the user and the context.
    """
    certificates = [f"--client-certificate={folder / 'client.crt'}", f"--client-key={folder / 'client.key'}"]
    return [
        ["set-cluster", name, f"--server={server}", f"--certificate-authority={folder / 'ca.crt'}", "--embed-certs"],
        ["set-credentials", name, *certificates, "--embed-certs"],
        ["set-context", name, f"--cluster={name}", f"--user={name}"],
        ["use-context", name],
    ]


def removals(mine: dict[str, Any], name: str = CONTEXT) -> list[list[str]]:
    """Return the commands after ``kubectl config`` that take out what is under a name; none for what is not there."""
    has = {kind: {each["name"] for each in mine.get(f"{kind}s") or []} for kind in ("context", "cluster", "user")}
    found = [[f"delete-{kind}", name] for kind, names in has.items() if name in names]
    if mine.get("current-context") == name:
        found.append(["unset", "current-context"])
    return found


def config(commands: list[list[str]]) -> None:
    """Change the user's kubeconfig."""
    for command in commands:
        kubectl("config", *command)


def set_context() -> None:
    """Make the cluster the user's current one."""
    admin = read(places.admin())
    cluster, user = admin["clusters"][0]["cluster"], admin["users"][0]["user"]
    parts = {
        "ca.crt": cluster["certificate-authority-data"],
        "client.crt": user["client-certificate-data"],
        "client.key": user["client-key-data"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for part, encoded in parts.items():
            (Path(folder) / part).write_bytes(base64.b64decode(encoded))
        config(edits(cluster["server"], Path(folder)))


def remove_context() -> None:
    """Take the cluster out of the user's kubeconfig."""
    if places.kubectl():
        config(removals(read()))


def is_set() -> bool:
    """Say whether the user's kubeconfig has this very cluster under our name, whichever is the current one."""
    mine = {each["name"]: each["cluster"] for each in read().get("clusters") or []}
    theirs: dict[str, str] = read(places.admin())["clusters"][0]["cluster"]
    return mine.get(CONTEXT) == theirs

"""A gang on Kubernetes, two to eight ranks, against kubectl and a script."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.scenario import Scenario
from bench.timing import last_run, timed
from windtunnel.backends import make_backend
from windtunnel.mpi.keys import make_keys

IMAGE = "windtunnel-openmpi"
SIZES = (2, 4, 8)
RANK = 'echo "first=$(date +%s.%N)"; echo "value=1"'
_NAME, _ROUNDS = "gang", 3
_SSHD = """
umask 077; mkdir /tmp/own; cp /keys/* /tmp/own
exec /usr/sbin/sshd -D -e -f /dev/null -p 2222 -h /tmp/own/host -o AuthorizedKeysFile=/tmp/own/login.pub \\
  -o StrictModes=no -o UsePAM=no -o PidFile=none
"""
_MPIRUN = """
umask 077; mkdir /tmp/own; cp /keys/* /tmp/own
exec mpirun --hostfile /hosts/hosts --mca plm_rsh_agent \\
  "ssh -p 2222 -i /tmp/own/login -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null" sh -c '{}'
"""
_BY_HAND = """
kubectl create secret generic by-hand-keys --from-file=keys >/dev/null
kubectl apply -f workers.yaml >/dev/null
kubectl wait --for=condition=Ready pod --selector=app=by-hand-worker --timeout=120s >/dev/null
kubectl get pods --selector=app=by-hand-worker \\
  -o jsonpath='{range .items[*]}{.status.podIP} slots=1{"\\n"}{end}' > hosts
kubectl create configmap by-hand-hosts --from-file=hosts >/dev/null
kubectl apply -f launcher.yaml >/dev/null
kubectl wait --for=jsonpath='{.status.phase}'=Succeeded pod/by-hand-launcher --timeout=60s >/dev/null
kubectl logs by-hand-launcher > launcher.log
grep -o 'value=.*' launcher.log > result
kubectl delete -f workers.yaml -f launcher.yaml --grace-period=1 --wait >/dev/null
kubectl delete secret/by-hand-keys configmap/by-hand-hosts >/dev/null
"""


def scenarios(folder: Path, windtunnel: str, say: Callable[[str], None]) -> Iterator[Scenario]:
    """Yield what is compared on a cluster; nothing without one."""
    if reason := make_backend("kubernetes").available():
        say(f"left out, gangs: {reason}")
        return
    for size in SIZES:
        place = folder / f"gang-{size}"
        _write(place, size)
        ours = [windtunnel, "run", "gang.toml", "--backend", "kubernetes"]
        by_hand = ["sh", "-ec", _BY_HAND]
        what = f"kubernetes: gang of {size}"
        whole = partial(timed, ours, place), partial(timed, by_hand, place)
        yield Scenario(f"{what}, until all is gone", "s", 3.0, *whole, rounds=_ROUNDS)
        began = partial(_first_rank, ours, place), partial(_first_rank_by_hand, by_hand, place)
        yield Scenario(f"{what}, until its first rank runs", "s", 3.0, *began, rounds=_ROUNDS)
        for part in ("barrier", "census"):
            yield Scenario(f"{what}, its {part}'s share", "s", 3.0, partial(_share, place, part), lambda: 0.0, rounds=1)


def _first_rank(command: list[str], folder: Path) -> float:
    began = time.time()
    timed(command, folder)
    return _first(last_run(folder, _NAME) / "logs" / "client.1.log") - began


def _first_rank_by_hand(command: list[str], folder: Path) -> float:
    began = time.time()
    timed(command, folder)
    return _first(folder / "launcher.log") - began


def _first(log: Path) -> float:
    """Return when the first rank ran, in seconds since the epoch."""
    return min(float(line.partition("=")[2]) for line in log.read_text().splitlines() if line.startswith("first="))


def _share(folder: Path, part: str) -> float:
    facts = json.loads((last_run(folder, _NAME) / "environment.json").read_text())
    return float(facts["gangs"]["gang"][f"{part}_seconds"])


def _write(folder: Path, size: int) -> None:
    """Write the benchmark of a gang, and what a person would give to kubectl."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    made = make_keys()
    for name, text in (("login", made.private), ("login.pub", f"{made.public}\n"), ("host", made.host_private)):
        (keys / name).write_text(text)
    (folder / "workers.yaml").write_text(json.dumps(_list([_worker(number) for number in range(size)])))
    (folder / "launcher.yaml").write_text(json.dumps(_list([_launcher()])))
    (folder / "gang.toml").write_text(f"""
spec_version = "1"
[benchmark]
name = "{_NAME}"
strategy = "mpi"
[gang]
size = {size}
[client]
launcher = "openmpi"
image = "{IMAGE}"
command = {json.dumps(["sh", "-c", RANK.replace("$", "$$")])}
[[metrics]]
name = "value"
pattern = 'value=(\\d+)'
""")


def _worker(number: int) -> dict[str, Any]:
    probe = {"tcpSocket": {"port": 2222}, "periodSeconds": 1}
    pod = _pod(f"by-hand-worker-{number}", _SSHD, {"keys": {"secret": {"secretName": "by-hand-keys"}}})
    pod["metadata"]["labels"] = {"app": "by-hand-worker"}
    pod["spec"]["containers"][0]["readinessProbe"] = probe
    return pod


def _launcher() -> dict[str, Any]:
    volumes = {"keys": {"secret": {"secretName": "by-hand-keys"}}, "hosts": {"configMap": {"name": "by-hand-hosts"}}}
    return _pod("by-hand-launcher", _MPIRUN.format(RANK), volumes)


def _pod(name: str, script: str, volumes: dict[str, Any]) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-ec", script.replace("$(", "$$(")],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in volumes],
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": each, **source} for each, source in volumes.items()],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": items}

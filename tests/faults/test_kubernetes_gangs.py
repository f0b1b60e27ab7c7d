"""Gangs on a cluster: all of one or nothing, deaths told with rank and node, and keys that nobody sees."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import policy_agent
from support.kubernetes_faults import FINISH_SECONDS, Fault, installed
from support.kubernetes_lab import image, kubectl, need_project_images, seen_pods
from support.lab import Lab, finish

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]
full = pytest.mark.full
OPEN_MPI = "windtunnel-openmpi"
"""Debian's, of version 4."""
LOOP = """
import time
from mpi4py import MPI
world = MPI.COMM_WORLD
for step in range(6000):
    world.allreduce(step)
    if world.rank == 0 and step == 20:
        print("client: hanging", flush=True)
    time.sleep(0.05)
"""
COUNT = """
import json
from mpi4py import MPI
total = MPI.COMM_WORLD.allreduce(1)
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps({"total": total}), flush=True)
"""
SUM = """
import json, os, socket, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
first = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
began = time.monotonic()
if rank == 0:
    with socket.create_server(first) as server:
        others = [server.accept()[0] for _other in range(size - 1)]
    total = sum(int(other.recv(64)) for other in others)
    for other in others:
        other.sendall(b"%d" % total)
    print(json.dumps({"total": total}), flush=True)
else:
    while True:
        try:
            link = socket.create_connection(first, 5)
        except ConnectionError:  # and no other: its name is known from the first moment
            time.sleep(0.05)
        else:
            break
    link.sendall(b"%d" % (rank + 1))
    total = int(link.recv(64))
assert total == sum(range(1, size + 1)) - 1, total
"""


TOTAL = '[[metrics]]\nname = "total"\npattern = \'"total": (\\d+)\''


def gang(program: str, launcher: str, keys: str = "", tables: str = "", *, name: str = "gang") -> str:
    """Return a benchmark of a gang that runs a Python program; `keys` are more of the gang's table."""
    return f"""
spec_version = "1"
[benchmark]
name = "{name}"
strategy = "mpi"
timeout = "4m"
[gang]
{keys}
[client]
launcher = "{launcher}"
image = "{OPEN_MPI if launcher != "none" else image()}"
command = ["python3", "program.py"]
files = {{ "program.py" = '''{program}''' }}
{tables}
"""


def looping(keys: str, launcher: str = "openmpi", image: str = OPEN_MPI) -> str:
    """Return a benchmark whose ranks exchange something for minutes."""
    need_project_images()
    text = gang(LOOP, launcher, keys).replace(f'"{OPEN_MPI}"', f'"{image}"')
    path = f"/opt/{launcher}/bin:/usr/local/bin:/usr/bin:/bin"
    return text if image == OPEN_MPI else f'{text}\n[client.env]\nPATH = "{path}"\n'


def summing(keys: str, **options: str) -> str:
    """Return a benchmark whose members add up their ranks, without a launcher."""
    return gang(SUM, "none", keys, TOTAL, **options)


def counting(keys: str, **options: str) -> str:
    """Return a benchmark whose ranks count themselves."""
    return gang(COUNT, "openmpi", keys, TOTAL, **options)


def members(lab: Lab, step: str) -> list[dict[str, Any]]:
    """Return where the members of a step were, as the one run's folder has it."""
    environment = json.loads((lab.only_run() / "environment.json").read_text())
    return list(environment["gangs"][step]["members"])


@dataclass(frozen=True)
class Nodes:
    """The cluster's nodes.

    Attributes:
        count: How many there are that take pods.
        half: A little less than half of the cores of one, so that it has room for two that want so much.
    """

    count: int
    half: float


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    """The cluster's nodes."""
    found = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    free = [each for each in found if not each["spec"].get("taints")]
    return Nodes(len(free), min(int(each["status"]["allocatable"]["cpu"]) for each in free) / 2 - 0.1)


@pytest.mark.parametrize("placement", ["spread", pytest.param("packed", marks=full)])
def test_members_without_a_launcher_find_the_first_one(fault: Fault, nodes: Nodes, placement: str) -> None:
    """By a name that each of them can look up at once; each has its node in all iterations."""
    size = nodes.count
    with seen_pods() as pods:
        result = fault.run(summing(f'size = {size}\nplacement = "{placement}"'), "--set", "run.repeats=2")
    fault.wait_empty()
    first, second = (
        [pods[f"{fault.name('client', iteration)}{suffix}"]["spec"]["nodeName"] for suffix in ("", "-replica-2")]
        for iteration in (1, 2)
    )

    assert result.exit_code == 0, result.stderr
    assert [sample["value"] for sample in fault.lab.samples()] == [size * (size + 1) / 2 - 1] * 2
    assert first == second == [each["node"] for each in members(fault.lab, "client")][:2]
    assert (first[0] == first[1]) is (placement == "packed")


@full
@pytest.mark.parametrize("placement", ["spread", "packed", "any"])
def test_a_gang_that_does_not_fit_is_given_back_whole(fault: Fault, nodes: Nodes, placement: str) -> None:
    """Exit 3 in the scheduler's words, with how many of its workers would have a place."""
    fit = {"spread": nodes.count, "packed": 2, "any": 2 * nodes.count}[placement]
    share = "" if placement == "spread" else f'\nresources = {{ cpu = "{nodes.half:.2f}" }}'
    text = looping(f'size = {fit + 1}\nplacement = "{placement}"{share}')
    message = fault.ended(fault.run(text), 3, "unschedulable")

    assert "gang: cannot be scheduled: 0/" in message
    assert ("didn't match pod anti-affinity rules" if placement == "spread" else "Insufficient cpu") in message
    assert message.endswith(f"; {fit} of {fit + 1} would fit")


@full
def test_no_member_begins_before_all_have_a_place(fault: Fault, nodes: Nodes) -> None:
    """Those that find one would be gone when the last one finds its: they were never there at once."""
    keys = f'size = {nodes.count + 1}\nplacement = "spread"'
    message = fault.ended(fault.run(gang("print('begun')", "none", keys)), 3, "unschedulable")

    assert message.endswith(f"; {nodes.count} of {nodes.count + 1} would fit")
    assert not list((fault.lab.only_run() / "logs").glob("client*.log"))


@full
def test_a_quota_with_room_for_a_part_of_a_gang_is_told_in_its_words(fault: Fault) -> None:
    """The warden is the first pod; what waits for room that never comes says what it waited for."""
    hard = {"spec": {"hard": {"pods": "3"}}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little"}} | hard
    with installed(fault, quota):
        message = fault.ended(fault.run(looping('size = 3\nwait = "5s"')), 3, "quota")

    assert "exceeded quota: little" in message
    assert message.endswith("2 of 3 would fit")


@full
@pytest.mark.parametrize("launcher", ["openmpi", "none"])
def test_two_gangs_that_have_room_one_by_one_do_not_hold_each_other(fault: Fault, nodes: Nodes, launcher: str) -> None:
    """Such as three workers each, where there are four places: both are measured, one after the other."""
    need_project_images()
    keys = f'size = {2 * nodes.count - 1}\nwait = "3m"\nresources = {{ cpu = "{nodes.half:.2f}" }}'
    names, make = ("first", "second"), counting if launcher == "openmpi" else summing
    texts = [make(keys, name=name) for name in names]
    files = [fault.lab.write(text, f"{name}.toml") for name, text in zip(names, texts, strict=True)]
    started = [fault.lab.start("run", str(file), "--backend", "kubernetes", "--json") for file in files]
    results = [finish(each, FINISH_SECONDS) for each in started]
    fault.wait_empty()

    assert [each.exit_code for each in results] == [0, 0], [each.stderr for each in results]
    assert any("is tried again" in each.stderr for each in results)
    spans = sorted(_span(Path(each.record["path"])) for each in results)
    assert spans[0][1] <= spans[1][0]


def _span(run: Path) -> tuple[str, str]:
    """Return when a run's iteration began to be measured, and when it ended."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    moments = {each["type"]: each["time"] for each in events}
    return moments["iteration_started"], moments["iteration_finished"]


@pytest.mark.parametrize("end", ["deleted", *(pytest.param(end, marks=full) for end in ("evicted", "killed"))])
def test_a_workers_death_is_told_with_its_ranks_and_its_node(fault: Fault, end: str) -> None:
    """Exit 5 within seconds, whatever `mpirun` makes of it."""
    with fault.hanging(looping('size = 2\nslots = 2\nplacement = "spread"')) as process:
        pod = fault.name("gang") + "-replica-2"
        node = fault.kubectl("get", "pod", pod, "--output", "jsonpath={.spec.nodeName}")
        fault.strike(lambda: _end(fault, pod, end))
        result = finish(process, FINISH_SECONDS)

    words = {
        "deleted": ("was deleted by somebody", "removed"),
        "evicted": ("was evicted", "evicted"),
        "killed": ("was killed by SIGKILL", "worker_died"),
    }[end]
    message = fault.ended(result, 5, words[1])
    assert f"gang's worker gang-1 (ranks 2, 3 on {node}) {words[0]}" in message
    assert result.record["validity"] == "invalid"


def _end(fault: Fault, pod: str, end: str) -> None:
    """Have a worker die in some way."""
    if end == "deleted":
        fault.delete("pod", pod)
    elif end == "evicted":
        fault.evict(pod)
    else:
        fault.execute(pod, "gang", "sh", "-c", "kill -9 $(grep -l '[l]istener' /proc/[0-9]*/cmdline | cut -d/ -f3)")


@full
@pytest.mark.parametrize("launcher", ["openmpi", "mpich", "intel"])
def test_a_workers_death_is_one_whatever_mpirun_makes_of_it(fault: Fault, launcher: str) -> None:
    """Open MPI 5 mostly ends with status 0 then, and others with one that says something else."""
    keys = 'size = 2\nplacement = "spread"\nshm = "256Mi"'
    with fault.hanging(looping(keys, launcher, "windtunnel-mpi")) as process:
        fault.strike(lambda: fault.delete("pod", f"{fault.name('gang')}-replica-2"))
        result = finish(process, FINISH_SECONDS)

    assert "gang's worker gang-1 (rank 1 on " in fault.ended(result, 5, "removed")


@full
@pytest.mark.parametrize("end", ["deleted", "out of memory"])
def test_a_member_without_launcher_that_dies_ends_the_run(fault: Fault, end: str) -> None:
    """With its rank and its node; the others would wait for it for ever."""
    program = "import os, time\nprint('client: hanging', flush=True)\ntime.sleep(3)\n"
    program += "kept = os.environ['RANK'] == '1' and WANTED * b'x'\ntime.sleep(600)".replace(
        "WANTED", "300_000_000" if end == "out of memory" else "1"
    )
    with fault.hanging(gang(program, "none", 'size = 2\nresources = { memory = "128Mi" }')) as process:
        pod = fault.name("client", 1) + "-replica-2"
        node = fault.kubectl("get", "pod", pod, "--output", "jsonpath={.spec.nodeName}")
        if end == "deleted":
            fault.strike(lambda: fault.delete("pod", pod))
        result = finish(process, FINISH_SECONDS)

    message = fault.ended(result, *{"deleted": (3, "removed"), "out of memory": (1, "oom")}[end])
    words = {"deleted": "was deleted by somebody", "out of memory": "ran out of its memory of 128 MiB"}[end]
    assert message == f"client's rank 1 on {node} {words}"


@full
def test_nothing_is_left_of_a_gang_whose_driver_is_killed(fault: Fault) -> None:
    """Its warden ends the workers and the launcher with the lease."""
    with fault.hanging(looping("size = 2")) as process:
        process.kill()
        process.wait()
        fault.killed("the ranks run")


@full
def test_nothing_is_left_of_a_gang_whose_driver_is_killed_as_it_waits_for_room(fault: Fault, nodes: Nodes) -> None:
    """Whatever is there of a try just then."""
    text = looping(f'size = {nodes.count + 1}\nplacement = "spread"\nwait = "3m"')
    with fault.lab.start("run", str(fault.lab.write(text)), "--backend", "kubernetes") as process:
        fault.lab.wait_for("is tried again")
        process.kill()
        process.wait()
        fault.killed("it waits for room")


@full
@pytest.mark.parametrize("launcher", ["openmpi", "none"])
def test_a_sealed_gang_is_measured(fault: Fault, launcher: str) -> None:
    """Its members reach each other and nothing else; no name is looked up."""
    need_project_images()
    make = counting if launcher == "openmpi" else summing
    with policy_agent.enforced():
        result = fault.run(make("size = 2"), "--set", "client.isolation=sealed")
    fault.wait_empty()

    assert result.exit_code == 0, result.stderr
    assert {sample["value"] for sample in fault.lab.samples()} == {2}


@full
def test_a_gangs_key_is_in_secrets_alone(fault: Fault) -> None:
    """Neither the workers' nor the launcher's is in what describes pods, in ConfigMaps, events, logs or the folder."""
    with fault.hanging(looping("size = 2")) as process:
        secrets = json.loads(fault.kubectl("get", "secrets", "--output", "json"))["items"]
        names = fault.name("gang"), fault.name("client", 1)
        texts = [text for each in secrets if each["metadata"]["name"] in names for text in _texts(each)]
        private = [text for text in texts if "PRIVATE KEY" in text]
        keys = {line for text in private for line in text.splitlines() if "KEY" not in line}
        kinds = "pods,configmaps,events,services,jobs"
        seen = fault.kubectl("get", kinds, "--output", "json")
        logs = fault.kubectl("logs", fault.name("gang"), "--all-containers")
        kubectl("--namespace", fault.namespace, "delete", "pod", fault.name("gang"), "--wait=false")
        result = finish(process, FINISH_SECONDS)

    assert len(set(private)) == len(names)
    fault.wait_empty()
    folder = [path.read_bytes().decode(errors="replace") for path in fault.lab.path.rglob("*") if path.is_file()]
    for text in (seen, logs, result.stdout, result.stderr, *folder):
        assert not [key for key in keys if key in text]


def _texts(secret: dict[str, Any]) -> Iterator[str]:
    """Yield what a Secret has."""
    for value in secret.get("data", {}).values():
        yield base64.b64decode(value).decode(errors="replace")

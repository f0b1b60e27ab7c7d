"""Python packages of a step's pods: installed once in a pod of its image, before anything is measured."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import docker as nodes
from cluster import kubeconfig
from support import policy_agent
from support.docker_lab import client_server, single_node
from support.kubernetes_lab import image, kubectl, salt, seen_pods
from support.lab import Lab, Result, finish
from support.needs import lacking
from support.package_index import SCRIPT, Index, package_index

pytestmark = [pytest.mark.usefixtures("cluster_empty", "nothing_left"), pytest.mark.timeout(600)]

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
IMPORT = ["python3", "-c", "import speed; speed.main()"]


@pytest.fixture
def index(tmp_path: Path, lab: Lab) -> Iterator[Index]:
    """An index at an address of this machine that pods reach, and a cache of the test's own."""
    image()
    if not kubeconfig.is_set():
        lacking("kubernetes: it is not known how another cluster's pods reach this machine", "kubernetes")
    with package_index(tmp_path / "wheels", nodes.gateway()) as index:
        lab.env |= index.env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        lab.patience = 180
        yield index


def benchmark(command: list[str], *requirements: str, tables: str = "", keys: str = "", target: str = "plain") -> str:
    """Return a benchmark of a command in the tests' image that requires packages."""
    image(target)
    keys = f"requirements = {json.dumps(requirements)}\n{keys}"
    return single_node(command, f"{RATE}\n{tables}", client=keys, target=target)


def run(lab: Lab, text: str, *arguments: str) -> Result:
    """Run a benchmark on the cluster."""
    return lab.run(text, "--backend", "kubernetes", *arguments)


def events(lab: Lab, run_id: str) -> list[dict[str, object]]:
    """Return what a run tells."""
    return [json.loads(line) for line in (lab.path / "runs" / run_id / "events.jsonl").read_text().splitlines()]


def installed(lab: Lab, run_id: str) -> list[object]:
    """Return what a run tells of its packages, for each step that has some."""
    return [event["data"] for event in events(lab, run_id) if event["type"] == "requirements_installed"]


@pytest.mark.full
@pytest.mark.parametrize(
    ("command", "target"),
    [(IMPORT, "plain"), ([SCRIPT], "user"), (["sh", "-c", SCRIPT], "plain")],
    ids=["module", "script-of-a-user", "shell"],
)
def test_a_payload_has_its_packages(lab: Lab, index: Index, command: list[str], target: str) -> None:
    """Its interpreter imports them, and their scripts are in its PATH, also for an image that is not root's."""
    result = run(lab, benchmark(command, "speed>=1,<2", target=target))

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [1]
    assert installed(lab, result.record["run_id"]) == [{"packages": {"speed": "1"}, "cached": False}]
    assert index.requests > 0


def test_packages_are_kept_between_runs_and_take_no_time_of_what_is_measured(lab: Lab, index: Index) -> None:
    """The index is asked once for the same requirements; each pod of the step has them, and they were there before."""
    text = benchmark(IMPORT, "speed")
    first = run(lab, text)
    asked = index.requests
    second = run(lab, text, "--set", "run.repeats=2")

    assert first.exit_code == second.exit_code == 0, first.stderr + second.stderr
    assert index.requests == asked > 0
    assert [result.record["metrics"]["rate"]["values"] for result in (first, second)] == [[2], [2, 2]]
    packages = {"speed": "2", "helper": "7"}
    assert installed(lab, first.record["run_id"]) == [{"packages": packages, "cached": False}]
    assert installed(lab, second.record["run_id"]) == [{"packages": packages, "cached": True}]
    kinds = [event["type"] for event in events(lab, first.record["run_id"])]
    assert kinds.index("requirements_installed") < kinds.index("iteration_starting")
    assert [phase["phase"] for phase in first.record["phases"]] == ["run"]
    created = first.record["resources"]
    assert (created["gone"], created["left"]) == (created["created"], [])


@pytest.mark.full
def test_servers_have_packages_too_and_no_object_has_the_settings(lab: Lab, index: Index) -> None:
    """What two steps both require is installed once; the index's password is in no pod, and in nothing that stays."""
    server = "from importlib import metadata; print(metadata.version('speed'), flush=True)"
    keys = f'requirements = ["speed"]\nfiles = {{ "version.py" = "{server}" }}'
    image()
    text = client_server(server_keys=keys, client_keys='requirements = ["speed"]')
    text = text.replace(
        '"python3", "/programs/server.py"',
        '"sh", "-c", "python3 version.py && exec python3 \\"$@\\"", "-", "/programs/server.py"',
    )
    with seen_pods() as pods:
        result = run(lab, text)

    assert result.exit_code == 0, result.stderr
    assert index.requests > 0
    assert [each["cached"] for each in installed(lab, result.record["run_id"])] == [False, True]  # type: ignore[index]
    assert (lab.only_run() / "logs" / "server.log").read_text().startswith("2\n")
    own = [pod for name, pod in pods.items() if salt(result.record["run_id"]) in name]
    assert sum(pod["metadata"]["name"].endswith("-python") for pod in own) == 1
    texts = [path.read_text(errors="replace") for path in lab.only_run().glob("**/*") if path.is_file()]
    assert not any("hidden" in each for each in (*texts, json.dumps(own), result.stdout, result.stderr))


@pytest.mark.parametrize(
    ("command", "requirement", "words"),
    [
        (IMPORT, "no-such-package", "No matching distribution found for no-such-package"),
        pytest.param(["python3.99", "-c", "1"], "speed", "command not found: python3.99", marks=pytest.mark.full),
    ],
    ids=["package", "interpreter"],
)
def test_packages_that_cannot_be_had_are_a_cause(
    lab: Lab, index: Index, command: list[str], requirement: str, words: str
) -> None:
    """Exit 3 with pip's words, before anything is started."""
    result = run(lab, benchmark(command, requirement))

    assert (result.exit_code, result.cause) == (3, "requirements_failed"), result.stderr
    assert words in result.record["cause"]["message"]
    assert result.record["phases"] == []
    assert (index.requests > 0) == (requirement == "no-such-package")
    assert bool(result.record["cause"]["log_tail"]) == (requirement == "no-such-package")


def test_an_index_on_this_machine_is_refused(lab: Lab, index: Index) -> None:
    """No pod would reach it; the message says which setting names it."""
    lab.env |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    result = run(lab, benchmark(IMPORT, "speed"))

    assert (result.exit_code, result.cause) == (3, "requirements_failed")
    assert "PIP_INDEX_URL: a server on this machine, which pods cannot reach" in result.record["cause"]["message"]
    assert index.requests == 0


def test_a_sealed_step_has_its_packages_and_cannot_change_them(lab: Lab, index: Index) -> None:
    """Pip's pod reaches the index; the step's own reaches nothing, and may not write where they are."""
    script = "touch $VIRTUAL_ENV/x 2>&1 | grep -q 'Read-only' && measure-speed"
    with policy_agent.enforced():
        result = run(lab, benchmark(["sh", "-c", script], "speed", keys='isolation = "sealed"'))

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [2]
    assert index.requests > 0


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.full), signal.SIGKILL])
def test_a_run_that_ends_while_pip_waits_leaves_nothing(
    lab: Lab, index: Index, cluster_empty: Callable[[], None], how: signal.Signals
) -> None:
    """Neither pip's pod nor half an environment stays: the next run has its packages."""
    index.answers.clear()
    file = str(lab.write(benchmark(IMPORT, "speed")))
    with lab.start("run", file, "--json", "--backend", "kubernetes") as process:
        deadline = time.monotonic() + 60
        while not index.requests:
            assert time.monotonic() < deadline, "pip asked nothing"
            time.sleep(0.02)
        process.send_signal(how)
        result = finish(process)
    assert result.exit_code == (130 if how is signal.SIGINT else -signal.SIGKILL)
    cluster_empty()

    index.answers.set()
    again = lab.call("run", file, "--json", "--backend", "kubernetes")
    assert again.record["metrics"]["rate"]["values"] == [2], again.stderr


def test_pips_pod_that_somebody_deletes_is_a_cause(lab: Lab, index: Index) -> None:
    """Its end is told within seconds, though pip said nothing."""
    index.answers.clear()
    with lab.start("run", str(lab.write(benchmark(IMPORT, "speed"))), "--json", "--backend", "kubernetes") as process:
        deadline = time.monotonic() + 60
        while not index.requests:
            assert time.monotonic() < deadline, "pip asked nothing"
            time.sleep(0.02)
        kubectl("delete", "pod", f"client-{salt(lab.only_run().name)}-python", "--wait=false")
        result = finish(process)

    assert result.exit_code == 3
    assert result.cause == "requirements_failed"

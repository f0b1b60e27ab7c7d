"""Python packages of a payload: installed once, before anything is measured, whatever pip meets."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import docker_lab
from support import lab as process_lab
from support.docker_lab import need_docker, volumes, volumes_of, wait_empty
from support.lab import Lab, finish
from support.package_index import SCRIPT, Index, package_index

pytestmark = pytest.mark.usefixtures("nothing_left")

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
IMPORT = ["python3", "-c", "import speed; speed.main()"]
# What it says is written once for all backends; `make test` asks one of them.
written_once = pytest.mark.parametrize(
    "backend", ["process", pytest.param("docker", marks=pytest.mark.full)], indirect=True
)


@pytest.fixture
def index(tmp_path: Path, lab: Lab) -> Iterator[Index]:
    """An index that the command line's pip asks, and a cache of the test's own."""
    with package_index(tmp_path / "wheels") as index:
        lab.env |= index.env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        yield index


@pytest.fixture(params=["process", "docker"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each backend that installs; Docker holds nothing of the test's runs at its end."""
    name = str(request.param)
    if name == "docker":
        need_docker()
    yield name
    if name == "docker":
        wait_empty(tmp_path)


def benchmark(backend: str, command: list[str], *requirements: str, tables: str = "") -> str:
    """Return a benchmark of a command that requires packages."""
    keys = f"requirements = {json.dumps(requirements)}"
    if backend == "docker":
        return docker_lab.single_node(command, f"{RATE}\n{tables}", client=keys)
    return process_lab.single_node(command, f"{keys}\n{RATE}\n{tables}")


def installed(lab: Lab, run: str) -> dict[str, object]:
    """Return what a run tells of its packages."""
    lines = (lab.path / "runs" / run / "events.jsonl").read_text().splitlines()
    (event,) = (line for line in map(json.loads, lines) if line["type"] == "requirements_installed")
    return dict(event["data"])


@pytest.mark.parametrize(
    ("backend", "command"),
    [
        pytest.param(backend, command, id=f"{kind}-{backend}", marks=pytest.mark.full if marked else ())
        for backend in ("process", "docker")
        for kind, command in (("module", IMPORT), ("script", [SCRIPT]), ("shell", ["sh", "-c", SCRIPT]))
        for marked in (backend == "docker" and kind != "shell",)
    ],
    indirect=["backend"],
)
def test_a_payload_has_its_packages(lab: Lab, index: Index, backend: str, command: list[str]) -> None:
    """Its interpreter imports them, and their scripts are in its PATH; the events tell the versions."""
    result = lab.run(benchmark(backend, command, "speed>=1,<2"), "--backend", backend)

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [1]
    assert installed(lab, result.record["run_id"]) == {"packages": {"speed": "1"}, "cached": False}
    assert index.requests > 0


def test_packages_are_kept_between_runs(lab: Lab, index: Index, backend: str) -> None:
    """The index is asked once for the same requirements, also those of what they need; other ones are installed."""
    text = benchmark(backend, IMPORT, "speed")
    first = lab.run(text, "--backend", backend)
    asked = index.requests
    second = lab.run(text, "--backend", backend, "--set", "run.repeats=2")
    assert index.requests == asked
    assert [result.record["metrics"]["rate"]["values"] for result in (first, second)] == [[2], [2, 2]]
    assert installed(lab, second.record["run_id"]) == {"packages": {"speed": "2", "helper": "7"}, "cached": True}

    third = lab.run(benchmark(backend, IMPORT, "speed==1"), "--backend", backend)
    assert third.record["metrics"]["rate"]["values"] == [1]


@written_once
def test_pip_takes_no_time_of_what_is_measured(lab: Lab, index: Index, backend: str) -> None:
    """The client's phases begin after it."""
    result = lab.run(benchmark(backend, IMPORT, "speed"), "--backend", backend)
    lines = (lab.only_run() / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["type"] for line in lines]

    assert index.requests > 0
    assert kinds.index("requirements_installed") < kinds.index("iteration_starting")
    assert [phase["phase"] for phase in result.record["phases"]] == ["run"]


@written_once
@pytest.mark.parametrize(
    ("requirement", "words"),
    [("no-such-package", "No matching distribution found for no-such-package"), ("speed>=9", "speed>=9")],
)
def test_a_package_that_cannot_be_had_is_a_cause(
    lab: Lab, index: Index, backend: str, requirement: str, words: str
) -> None:
    """Exit 3 with pip's words, before anything is started; the index's password is nowhere."""
    result = lab.run(benchmark(backend, IMPORT, requirement), "--backend", backend)

    assert (result.exit_code, result.cause) == (3, "requirements_failed")
    assert words in result.record["cause"]["message"]
    assert result.record["cause"]["log_tail"]
    assert result.record["phases"] == []
    texts = [path.read_text(errors="replace") for path in lab.only_run().glob("**/*") if path.is_file()]
    assert not any("hidden" in text for text in (*texts, result.stdout, result.stderr))
    assert index.requests > 0


def test_an_interpreter_that_is_not_there_is_a_cause(lab: Lab, index: Index, backend: str) -> None:
    """The requirements are for the command's own interpreter."""
    result = lab.run(benchmark(backend, ["python3.99", "-c", "1"], "speed"), "--backend", backend)

    assert (result.exit_code, result.cause) == (3, "requirements_failed")
    assert "command not found: python3.99" in result.record["cause"]["message"]
    assert index.requests == 0


def test_settings_that_lead_elsewhere_do_not(lab: Lab, index: Index) -> None:
    """A user's own target folder for pip is not where a payload looks."""
    lab.env |= {"PIP_TARGET": str(lab.path / "target"), "PIP_USER": "1"}

    assert lab.run(benchmark("process", IMPORT, "speed")).exit_code == 0
    assert not (lab.path / "target").exists()
    assert index.requests > 0


def test_a_step_of_docker_cannot_change_its_packages(lab: Lab, index: Index) -> None:
    """The next iteration has the same ones."""
    need_docker()
    script = "touch $VIRTUAL_ENV/x 2>&1 | grep -q 'Read-only' && measure-speed"
    result = lab.run(benchmark("docker", ["sh", "-c", script], "speed"), "--backend", "docker")

    assert result.exit_code == 0, result.stderr
    assert index.requests > 0


@pytest.mark.full
def test_an_image_with_a_user_of_its_own_has_its_packages(lab: Lab, index: Index) -> None:
    """Its pip has no more rights than its step."""
    need_docker()
    text = docker_lab.single_node(IMPORT, RATE, client='requirements = ["speed"]', target="user")
    result = lab.run(text, "--backend", "docker")

    assert result.exit_code == 0, result.stderr
    assert index.requests > 0


def test_volumes_of_pips_container_go_with_it(lab: Lab, index: Index) -> None:
    """Those that the image declares, when packages are installed and when they are taken from the cache."""
    need_docker()
    began, had = time.time(), set[str]()
    for _ in range(2):
        result = lab.run(benchmark("docker", IMPORT, "speed"), "--backend", "docker")
        assert result.exit_code == 0, result.stderr
        had |= volumes_of(result.record["run_id"], began)

    assert had
    assert not had & volumes()
    assert index.requests > 0


def test_a_sealed_step_has_its_packages(lab: Lab, index: Index) -> None:
    """Pip reaches its index; the step itself reaches nothing, and may not write where they are."""
    need_docker()
    script = "touch $VIRTUAL_ENV/x 2>/dev/null || measure-speed"
    text = benchmark("docker", ["sh", "-c", script], "speed").replace("[client]", '[client]\nisolation = "sealed"')
    result = lab.run(text, "--backend", "docker")

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [2]
    assert index.requests > 0


@written_once
def test_two_runs_side_by_side_install_once(lab: Lab, index: Index, backend: str) -> None:
    """The second waits for the first, and takes what it made."""
    file = str(lab.write(benchmark(backend, IMPORT, "speed")))
    with (
        lab.start("run", file, "--json", "--backend", backend) as one,
        lab.start("run", file, "--json", "--backend", backend) as two,
    ):
        results = [finish(one), finish(two)]

    assert [result.exit_code for result in results] == [0, 0], results
    assert {installed(lab, result.record["run_id"])["cached"] for result in results} == {False, True}
    assert index.requests > 0


@pytest.mark.parametrize(
    ("backend", "how"),
    [
        ("process", signal.SIGINT),
        ("process", signal.SIGKILL),
        pytest.param("docker", signal.SIGINT, marks=pytest.mark.full),
        ("docker", signal.SIGKILL),
    ],
    indirect=["backend"],
)
def test_a_run_that_ends_while_pip_waits_leaves_nothing(
    lab: Lab, index: Index, backend: str, how: signal.Signals, nothing_left: Callable[[], None]
) -> None:
    """Neither pip nor half an environment stays: the next run has its packages."""
    index.answers.clear()
    file = str(lab.write(benchmark(backend, IMPORT, "speed")))
    with lab.start("run", file, "--json", "--backend", backend) as process:
        deadline = time.monotonic() + 120
        while not index.requests:
            assert time.monotonic() < deadline, "pip asked nothing"
            time.sleep(0.02)
        process.send_signal(how)
        result = finish(process)
    assert result.exit_code == (130 if how is signal.SIGINT else -signal.SIGKILL)
    nothing_left()
    if backend == "docker":
        wait_empty(lab.path, 30)

    index.answers.set()
    assert lab.call("run", file, "--json", "--backend", backend).record["metrics"]["rate"]["values"] == [2]

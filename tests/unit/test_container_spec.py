"""What a container is made of: a pure function of a unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.containers import METRICS, OUT, PYTHON, WORK
from windtunnel.backends.docker.container_spec import FOLLOWED, Surroundings, container_name, container_spec
from windtunnel.backends.unit import Environment, Site, Unit, render
from windtunnel.plan import Isolation, Probe, ProbeKind, Program, Readiness, Service

SITE = Site(Address("server", 20_000), WORK, OUT, METRICS)


def unit(
    isolation: Isolation = "open", number: int = 1, environment: Environment | None = None, probe: ProbeKind = "tcp"
) -> Unit:
    """Return a server's unit."""
    program = Program(command=("python3", "serve.py", "$PORT"), cpu=0.5, memory=64 * 2**20, isolation=isolation)
    ready = Readiness(probe=Probe(kind=probe), within=1)
    step = Service(name="server", program=program, ready=ready, port=0, replicas=2)
    return render(Launch(step, None, {}), SITE, environment, number)


def test_a_container_is_made_of_its_unit_alone() -> None:
    """Its command behind a shell that joins its two streams, its limits, its name on the run's first network."""
    body = container_spec(unit(), Surroundings(image="sha256:1", networks=["run", "run-sealed"], version=(1, 41)))

    assert (body["Image"], body["WorkingDir"]) == ("sha256:1", "/windtunnel/work")
    assert body["Cmd"] == ["python3", "serve.py", "20000"]
    assert body["Entrypoint"][-1] == 'exec "$0" "$@" 2>&1'
    assert {"PORT=20000", "SERVER_HOST=server", "WINDTUNNEL_OUT=/windtunnel/results/out"} <= set(body["Env"])
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"run": {"Aliases": ["server"]}}}
    assert body["HostConfig"] == {
        "NetworkMode": "run",
        "Init": True,
        "LogConfig": {"Type": "none"},
        "SecurityOpt": ["no-new-privileges"],
        "NanoCpus": 500_000_000,
        "Memory": 64 * 2**20,
        "MemorySwap": 64 * 2**20,
    }


def test_without_a_shell_the_command_is_the_containers_own() -> None:
    """An image may have none."""
    around = Surroundings(image="i", networks=["run"], version=(1, 41), is_shell=False)

    body = container_spec(unit(), around)
    assert (body["Entrypoint"], body["Cmd"]) == (["python3", "serve.py", "20000"], [])


def test_a_python_environment_is_a_volume_that_cannot_be_written() -> None:
    """Its interpreter is the step's, and its programs come first."""
    around = Surroundings(image="i", networks=["run"], version=(1, 41), python="run-python-1")
    body = container_spec(unit(environment=Environment(PYTHON, "/usr/bin")), around)

    assert body["HostConfig"]["Binds"] == ["run-python-1:/windtunnel/python:ro"]
    assert body["Cmd"][0] == "/windtunnel/python/bin/python"
    assert "PATH=/windtunnel/python/bin:/usr/bin" in body["Env"]


def test_what_a_step_sets_itself_wins_over_what_every_container_has() -> None:
    """Such as a proxy of Docker's configuration."""
    around = Surroundings(image="i", networks=["run"], version=(1, 41), env={"http_proxy": "a", "PORT": "1"})

    env = container_spec(unit(), around)["Env"]
    assert [line for line in env if line.startswith(("http_proxy=", "PORT="))] == ["http_proxy=a", "PORT=20000"]


@pytest.mark.parametrize(("number", "name"), [(1, "run-server"), (2, "run-server.replica-2")])
def test_a_replicas_container_says_which_it_is(number: int, name: str) -> None:
    """No step's name has a point in it."""
    assert container_name("run", unit(number=number)) == name


def test_a_sealed_steps_folders_are_a_volume_that_goes_with_it() -> None:
    """Its root cannot be written."""
    around = Surroundings(image="i", networks=["run-sealed"], version=(1, 43), inputs="run-inputs")
    body = container_spec(unit("sealed"), around)

    assert body["Volumes"] == {"/windtunnel": {}}
    assert body["HostConfig"]["ReadonlyRootfs"]
    assert [mount["Source"] for mount in body["HostConfig"]["Mounts"]] == ["run-inputs"]


@pytest.mark.parametrize(
    ("number", "kind", "driver"),
    [(FOLLOWED, "tcp", "none"), (FOLLOWED + 1, "tcp", "json-file"), (FOLLOWED + 1, "log", "none")],
)
def test_the_daemon_keeps_the_output_of_replicas_that_nobody_listens_to(
    number: int, kind: ProbeKind, driver: str
) -> None:
    """Each that is listened to takes a thread and a connection; what a probe reads has to be there at once."""
    around = Surroundings(image="i", networks=["run"], version=(1, 41))

    assert container_spec(unit(number=number, probe=kind), around)["HostConfig"]["LogConfig"]["Type"] == driver


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_pips_container_is_on_a_network_of_dockers_own(network: str) -> None:
    """On which no container has a name; its own name says what it is for."""
    pip = replace(unit(), installs=True)
    body = container_spec(pip, Surroundings(image="i", networks=[network], version=(1, 41)))

    assert "NetworkingConfig" not in body
    assert body["HostConfig"]["NetworkMode"] == network
    assert container_name("run", pip) == "run-server.requirements"

"""What a container is made of: a unit as Docker's API takes it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windtunnel.backends.containers import PYTHON, RESULTS, WORK
from windtunnel.backends.docker.sealing import host_options, volumes
from windtunnel.backends.tracing import RAW, traced_command
from windtunnel.backends.unit import Unit
from windtunnel.plan import Job, Service

NO_HEALTHCHECK = {"Test": ["NONE"]}
"""The image's own check would run beside what is measured; readiness is asked by the benchmark's."""
NO_LOG = {"Type": "none"}
"""The output is in the run's folder; the daemon need not keep it a second time."""
FOLLOWED = 8
"""How many replicas of a step are listened to while they run; each takes a thread and a connection."""
_KEPT_LOG = {"Type": "json-file", "Config": {"max-size": "1g", "max-file": "2"}}
"""The daemon keeps a gigabyte of the end of each other one's output, at least."""
_SHELL = ("/bin/sh", "-c", 'exec "$0" "$@" 2>&1')
"""Makes one stream of both, in the order in which they are written: Docker reads two side by side."""
_NANO = 1e9


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the container of a unit depends on beside the unit.

    Attributes:
        image: The id of its image, or its name.
        networks: The names of the networks that it is to be on; it is made on the first one.
        version: That of the daemon's API, such as (1, 41).
        env: What every container has in its environment.
        python: The volume with its step's Python environment, if there is one.
        inputs: The volume that holds the run's inputs, if there is one.
        tracer: How strace is run there; empty if nothing is traced.
        is_shell: Whether a shell can start its command.
    """

    image: str
    networks: Sequence[str]
    version: tuple[int, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None
    inputs: str | None = None
    tracer: Sequence[str] = ()
    is_shell: bool = True


def container_name(run_id: str, unit: Unit) -> str:
    """Return the name of a unit's container."""
    return f"{run_id}-{unit.label}"


def host_of(step: Service | Job) -> str:
    """Return the name by which a step is reached on its run's networks; of a job's members, the first one."""
    return f"{step.name}-0" if isinstance(step, Job) and step.size else step.name


def aliases(unit: Unit) -> list[str]:
    """Return the names of a unit's container on its run's networks."""
    return [unit.step.name, *([unit.hostname] if unit.hostname else [])]


def is_followed(unit: Unit) -> bool:
    """Tell whether a unit's output is listened to while it runs: that of the first replicas, and what probes read."""
    step = unit.step
    probes = [step.ready.probe, *([step.live.probe] if step.live else [])] if isinstance(step, Service) else []
    return unit.number <= FOLLOWED or any(probe.kind == "log" for probe in probes)


def container_spec(unit: Unit, around: Surroundings) -> dict[str, Any]:
    """Return the body of ``POST /containers/create``, its labels left out."""
    program = unit.program
    argv = list(unit.argv)
    if program.trace:
        argv = traced_command(around.tracer, RESULTS / RAW, argv)
    body = {
        "Image": around.image,
        "Entrypoint": list(_SHELL) if around.is_shell else argv,
        "Cmd": argv if around.is_shell else [],
        "Env": [f"{name}={value}" for name, value in {**around.env, **unit.env}.items()],
        "WorkingDir": str(WORK),
        "Healthcheck": NO_HEALTHCHECK,
        "Volumes": {folder: {} for folder in volumes(program)},
        "HostConfig": _host_config(unit, around),
    }
    if unit.hostname:
        body["Hostname"] = unit.hostname
    if not unit.installs:
        # Docker's own networks know no other names.
        body["NetworkingConfig"] = {"EndpointsConfig": {around.networks[0]: {"Aliases": aliases(unit)}}}
    return body


def _host_config(unit: Unit, around: Surroundings) -> dict[str, Any]:
    program = unit.program
    config = {
        "NetworkMode": around.networks[0],
        # Reaps orphans and hands signals on: without, a command would be process 1, which no SIGTERM ends.
        "Init": True,
        "LogConfig": NO_LOG if is_followed(unit) else _KEPT_LOG,
        **host_options(program, around.version, around.inputs),
    }
    if around.python:
        config["Binds"] = [f"{around.python}:{PYTHON}:ro"]
    if program.cpu:
        config["NanoCpus"] = round(program.cpu * _NANO)
    if program.shm and not unit.installs:
        config["ShmSize"] = round(program.shm)
    if program.memory:
        config["Memory"] = config["MemorySwap"] = round(program.memory)
    return config

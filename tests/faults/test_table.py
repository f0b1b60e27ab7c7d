"""What goes wrong with a step: on every backend the same exit code, cause, words and samples, and nothing left.

A row is a fault; it is tried on each of its backends. What meets the same code of a backend as
another row does is tried by ``make test-full`` alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from _pytest.mark import ParameterSet

from support import docker_lab, kubernetes_lab
from support.kubernetes_faults import NO_IMAGE
from support.kubernetes_faults import Fault as OnCluster
from support.lab import SOON, Lab, Result
from support.stages import Stage
from windtunnel.errors import ExitCode

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]
QUICK, FULL = True, False
SAME_POD = 'placement = "same-pod"'
LIMIT = 'resources = { memory = "64Mi" }'
NO_RIGHT = '[client.files]\n"script" = "#!/bin/sh"'
EAT = ["python3", "-c", "x = b'x' * 200_000_000"]
LIVE = 'live = { http = "/alive", every = "100ms", timeout = "1s", failures = 3 }'
NO_PROBE = 'live = { exec = ["no-such-probe"], every = "50ms", failures = 2 }'
THRICE = "[run]\nrepeats = 3"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and what a run comes to for it.

    Attributes:
        text: Writes the benchmark for a backend.
        on: The backends on which it is tried: `QUICK` by ``make test`` too, `FULL` by ``make test-full`` alone.
        exit_code: The run's.
        cause: The code of its cause.
        words: What the cause says.
        backends_words: What it says beside that on a backend.
        stderr: What the command shows of the step's own output.
        is_measured: Whether its client ran.
        samples: How many samples are on disk then, if that is sure.
        phase: The phase that ends soon, whatever it could wait for.
        least: Seconds that it takes at least.
        created: How many resources the run made by then on a backend, where that says something.
    """

    text: Callable[[Stage], str]
    on: Mapping[str, bool]
    exit_code: int
    cause: str
    words: tuple[str, ...]
    backends_words: Mapping[str, str] = field(default_factory=dict)
    stderr: str = ""
    is_measured: bool = True
    samples: int | None = None
    phase: str | None = None
    least: float = 0.0
    created: Mapping[str, int] = field(default_factory=dict)


def never_ready(server: str, probe: str) -> Callable[[Stage], str]:
    """Return what writes a benchmark whose server is given two seconds."""
    return lambda stage: stage.client_server(server=server, ready=f'{{ {probe}, within = "2s" }}')


def with_server(arguments: str, keys: str = "", **parts: str) -> Callable[[Stage], str]:
    """Return what writes a benchmark of a server with these arguments."""
    ready = '{ http = "/ready", within = "100s" }'
    return lambda stage: stage.client_server(server=arguments, server_keys=keys, **{"ready": ready, **parts})


def missing(command: str, on: Mapping[str, bool], target: str = "plain") -> Fault:
    """Return the fault of a command that is not there."""
    return Fault(
        text=lambda stage: stage.single_node([command], target=target),
        on=on,
        exit_code=3,
        is_measured=False,
        cause="command_not_found",
        words=(f"command not found: {command}",),
    )


def without_image(stage: Stage) -> str:
    """Write a benchmark whose server's image is nowhere."""
    return stage.client_server().replace(f'image = "{docker_lab.image()}"', f'image = "{NO_IMAGE}"', 1)


FAULTS = {
    "a server that never binds": Fault(
        text=never_ready("--bind-after -1", "tcp = true"),
        on={"process": QUICK, "docker": FULL, "kubernetes": FULL},
        exit_code=3,
        is_measured=False,
        cause="not_ready",
        words=("server was not ready within 2 s: connecting to ", "refused"),
        stderr="server: still thinking",
        phase="ready",
        least=2.0,
    ),
    "a server that others cannot reach": Fault(
        text=never_ready("--host 127.0.0.1", "tcp = true"),
        on={"docker": QUICK, "kubernetes": QUICK},
        exit_code=3,
        is_measured=False,
        cause="not_ready",
        words=("server was not ready within 2 s", "connection refused; in a "),
        backends_words={
            "docker": "in a container a server has to listen on all",
            "kubernetes": "in a pod a server has to listen on all addresses",
        },
        stderr="server: listening",
        phase="ready",
        least=2.0,
    ),
    "a server that says it is not ready": Fault(
        text=never_ready("--unready", 'http = "/ready"'),
        on={"process": QUICK, "docker": FULL, "kubernetes": FULL},
        exit_code=3,
        is_measured=False,
        cause="not_ready",
        words=("server was not ready within 2 s", "status 503"),
        phase="ready",
        least=2.0,
    ),
    "a server that dies before it is ready": Fault(
        text=with_server("--die-at-start 7"),
        on={"process": QUICK, "docker": QUICK, "kubernetes": QUICK},
        exit_code=3,
        is_measured=False,
        cause="exited_before_ready",
        words=("server exited with status 7 before it was ready",),
        stderr="server: no configuration, giving up",
        phase="ready",
    ),
    "a server that dies before it is ready, in its client's pod": Fault(
        text=with_server("--die-at-start 7", SAME_POD),
        on={"kubernetes": FULL},
        exit_code=3,
        is_measured=False,
        cause="exited_before_ready",
        words=("server exited with status 7 before it was ready",),
        stderr="server: no configuration, giving up",
    ),
    "a server that dies while it is measured": Fault(
        text=with_server("--die-after 8", client="--requests 5", tables=THRICE),
        on={"process": QUICK, "docker": FULL, "kubernetes": FULL},
        exit_code=5,
        cause="server_died",
        words=("server exited with status 9 while it was needed",),
        stderr="server: dying at request 8",
        samples=7,
    ),
    "a server that answers no more": Fault(
        text=with_server("--hang-after 3", LIVE, client="--requests 5"),
        on={"process": QUICK, "docker": FULL, "kubernetes": FULL},
        exit_code=5,
        cause="liveness_failed",
        words=("server failed its liveness probe 3 times in a row: GET http://",),
        samples=2,
    ),
    "a server without memory": Fault(
        text=with_server("--eat-after 3", LIMIT),
        on={"docker": QUICK, "kubernetes": QUICK},
        exit_code=5,
        cause="oom",
        words=("server ran out of its memory of 64 MiB while it was needed",),
        samples=2,
    ),
    "a server without memory, in its client's pod": Fault(
        text=with_server("--eat-after 3", f"{LIMIT}\n{SAME_POD}"),
        on={"kubernetes": FULL},
        exit_code=5,
        cause="oom",
        words=("server ran out of its memory of 64 MiB while it was needed",),
        samples=2,
    ),
    "a client without memory": Fault(
        text=lambda stage: stage.single_node(EAT, client=LIMIT),
        on={"docker": QUICK, "kubernetes": FULL},
        exit_code=1,
        cause="oom",
        words=("client ran out of its memory of 64 MiB",),
        samples=0,
    ),
    "a command that is not there": missing("no-such-command", {"process": QUICK, "docker": QUICK, "kubernetes": QUICK}),
    "a file that is not there": missing("./no-such-file", {"process": QUICK, "docker": QUICK, "kubernetes": FULL}),
    "a path that is not there": missing("/no/such/file", {"process": QUICK, "docker": FULL}),
    "a command that is not there, without a shell": missing("no-such-command", {"docker": QUICK}, "bare"),
    "a file that is not there, without a shell": missing("./no-such-file", {"docker": FULL}, "bare"),
    "a path that is not there, without a shell": missing(
        "/no/such/file", {"docker": QUICK, "kubernetes": FULL}, "bare"
    ),
    "a file that may not be executed": Fault(
        text=lambda stage: stage.single_node(["./script"], NO_RIGHT),
        on={"process": QUICK, "docker": QUICK, "kubernetes": FULL},
        exit_code=3,
        is_measured=False,
        cause="command_not_runnable",
        words=("script", "denied"),
    ),
    "a readiness command that is not there": Fault(
        text=with_server("", ready='{ exec = ["no-such-probe"], within = "100s" }'),
        on={"process": QUICK, "docker": QUICK, "kubernetes": FULL},
        exit_code=3,
        is_measured=False,
        cause="command_not_found",
        words=("no-such-probe",),
        phase="ready",
    ),
    "a liveness command that is not there": Fault(
        text=with_server("", NO_PROBE, client="--hang-in 1"),
        on={"process": QUICK, "docker": QUICK, "kubernetes": FULL},
        exit_code=5,
        cause="liveness_failed",
        words=("no-such-probe",),
    ),
    "an image that cannot be had": Fault(
        text=without_image,
        on={"docker": QUICK, "kubernetes": QUICK},
        exit_code=3,
        is_measured=False,
        cause="image_pull",
        words=("server: ", NO_IMAGE, "connection refused"),
        created={"docker": 0},
        backends_words={
            "docker": f"server: image '{NO_IMAGE}' is not here and cannot be pulled",
            "kubernetes": f"server: has no image {NO_IMAGE}",
        },
    ),
}


def cases() -> list[ParameterSet]:
    """Return every fault on every backend that it is tried on."""
    return [
        pytest.param(name, backend, id=f"{backend}-{name}", marks=() if is_quick else pytest.mark.full)
        for name, fault in FAULTS.items()
        for backend, is_quick in fault.on.items()
    ]


@pytest.fixture
def stage(backend: str, lab: Lab, request: pytest.FixtureRequest) -> Stage:
    """The backend of a case, and nothing on it."""
    if backend == "kubernetes":
        on_cluster: OnCluster = request.getfixturevalue("fault")
        for target in ("plain", "bare"):
            kubernetes_lab.image(target)
        return Stage(backend, lab, on_cluster.run, on_cluster.ended)
    if backend == "docker":
        request.getfixturevalue("docker_empty")
    lab.env = dict(os.environ)

    def ended(result: Result, exit_code: int, cause: str) -> str:
        assert result.exit_code == exit_code, result.stderr
        assert result.cause == cause
        assert result.record["resources"]["left"] == []
        return str(result.record["cause"]["message"])

    return Stage(backend, lab, lambda text: lab.run(text, "--backend", backend), ended)


@pytest.mark.parametrize(("name", "backend"), cases())
def test_a_fault_is_told_alike_everywhere(stage: Stage, name: str) -> None:
    """The exit code, the cause with its words, what the step said, the samples until then; no verdict without any."""
    fault = FAULTS[name]
    result = stage.run(fault.text(stage))
    message = stage.ended(result, fault.exit_code, fault.cause)

    for words in (*fault.words, fault.backends_words.get(stage.backend, "")):
        assert words.lower() in message.lower()
    assert fault.stderr in result.stderr
    if fault.phase:
        (seconds,) = [each["seconds"] for each in result.record["phases"] if each["phase"] == fault.phase]
        assert fault.least <= seconds < SOON
    assert result.record["resources"]["created"] == fault.created.get(
        stage.backend, result.record["resources"]["created"]
    )
    if fault.samples is not None:
        assert len(stage.lab.samples()) == fault.samples
    if not fault.is_measured:
        assert result.record["validity"] is None
        assert stage.lab.samples() == []
    if fault.exit_code == ExitCode.INVALID:
        assert result.record["validity"] == "invalid"

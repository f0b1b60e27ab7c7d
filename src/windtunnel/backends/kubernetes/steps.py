"""What a step becomes in a pod: its address, its environment, its container. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.containers import METRICS, OUT, PYTHON, WORK, choose_port, python_variables
from windtunnel.backends.kubernetes.objects import Manifest, Naming, config_map, secret
from windtunnel.backends.kubernetes.place import Environment
from windtunnel.backends.kubernetes.secrecy import Secrecy
from windtunnel.backends.kubernetes.spec import Container
from windtunnel.backends.requirements import with_environment
from windtunnel.plan import Job, Service
from windtunnel.substitution import substitute

_HERE = "127.0.0.1"


@dataclass(frozen=True)
class Made:
    """A step as its pod will have it.

    Attributes:
        address: Where others reach it.
        values: What is substituted in its strings.
        env: Its environment.
        files: Path to content, with all names replaced.
        container: Its container.
    """

    address: Address
    values: dict[str, str]
    env: dict[str, str]
    files: dict[str, str]
    container: Container


def is_in_client(step: Service | Job) -> bool:
    """Tell whether a step lives in its client's pod."""
    return isinstance(step, Service) and step.placement == "same-pod"


def address_of(naming: Naming, step: Service | Job, iteration: int | None) -> Address:
    """Return where others reach a step; a port that is to be any free one is chosen here."""
    host = _HERE if is_in_client(step) else naming.name(step.name, iteration)
    return Address(host, choose_port(step))


def make_step(
    naming: Naming,
    secrecy: Secrecy,
    launch: Launch[Any],
    packages: Environment | None = None,
    source: tuple[str, str] | None = None,
) -> Made:
    """Return a step as its pod will have it.

    Args:
        naming: The run's names.
        secrecy: What the run's plan keeps secret.
        launch: The start of the step.
        packages: Its Python environment, if it has one.
        source: Where that is to be had, and the token for it.
    """
    step: Service | Job = launch.step
    address = address_of(naming, step, launch.iteration)
    values = launch.names(address, WORK, OUT, METRICS)
    env = {**values, **{name: substitute(text, values) for name, text in step.program.env.items()}}
    if packages:
        env |= python_variables(env.get("PATH", packages.path))
    files = {path: substitute(text, values) for path, text in step.program.files.items()}
    service = step if isinstance(step, Service) else None
    command = [substitute(word, values) for word in step.program.command]
    container = Container(
        name=step.name,
        program=step.program,
        argv=with_environment(command, PYTHON) if packages else command,
        env=env,
        files={path: _key(number) for number, path in enumerate(files)},
        config=naming.name(step.name, launch.iteration),
        hidden=secrecy.hidden(step.program),
        sidecar=service if is_in_client(step) else None,
        stop=[substitute(word, values) for word in service.stop or ()] if service else (),
        ready=[substitute(word, values) for word in service.ready.probe.command] if service else (),
        port=address.port,
        packages=source,
    )
    return Made(address, values, env, files, container)


def belongings(naming: Naming, made: Made) -> list[Manifest]:
    """Return what a step's pod refers to and has to be there before: a Secret, and a ConfigMap with its files."""
    container, hidden = made.container, made.container.hidden
    files = {_key(number): text for number, text in enumerate(made.files.values())}
    name, step = container.config, container.name
    found = []
    if hidden:
        found.append(secret(naming, name, step, hidden.data(made.env, container.argv, files)))
    if files and not hidden.has_files:
        found.append(config_map(naming, name, step, files))
    return found


def _key(number: int) -> str:
    return f"file-{number}"

"""What a unit becomes in a pod: its address, its container, and the Secret and ConfigMap that it refers to. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windtunnel.backends.base import Address
from windtunnel.backends.containers import METRICS, OUT, WORK, choose_port
from windtunnel.backends.kubernetes.manifests import Manifest, config_map, secret
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.run_manifests import pod_name
from windtunnel.backends.kubernetes.secret_objects import Hidden, Secrecy
from windtunnel.backends.unit import Site, Unit
from windtunnel.plan import Job, Program, Service

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ContainerSpec:
    """A step's container as it is to be made.

    Attributes:
        name: The step's name.
        program: What it runs.
        argv: Its command, with all names replaced.
        env: Its environment.
        files: Path to key, for files that are in the ConfigMap called `config`.
        config: That ConfigMap, and the Secret of the same name.
        hidden: What of it is in that Secret.
        sidecar: The service, if it lives in its client's pod.
        stop: Its stop command, with all names replaced.
        ready: The command of its readiness probe, the same.
        port: Its port.
        packages: URL of its Python environment, and the token for it, if it has one.
        installs: Whether it makes a Python environment.
    """

    name: str
    program: Program
    argv: Sequence[str]
    env: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    hidden: Hidden = field(default_factory=Hidden)
    sidecar: Service | None = None
    stop: Sequence[str] = ()
    ready: Sequence[str] = ()
    port: int | None = None
    packages: tuple[str, str] | None = None
    installs: bool = False


def is_in_client(step: Service | Job) -> bool:
    """Tell whether a step lives in its client's pod."""
    return isinstance(step, Service) and step.placement == "same-pod"


def site_of(naming: Naming, step: Service | Job, iteration: int | None) -> Site:
    """Return where a start of a step will be; a port that is to be any free one is chosen here."""
    host = LOOPBACK if is_in_client(step) else naming.name(step.name, iteration)
    return Site(Address(host, choose_port(step)), WORK, OUT, METRICS)


def container_spec(
    naming: Naming, secrecy: Secrecy, unit: Unit, packages: tuple[str, str] | None = None
) -> ContainerSpec:
    """Return the container of a unit.

    Args:
        naming: The run's names.
        secrecy: What the run's plan keeps secret.
        unit: The unit.
        packages: URL of its step's Python environment, and the token for it, if it has one.
    """
    step = unit.step
    service = step if isinstance(step, Service) else None
    return ContainerSpec(
        name=step.name,
        program=step.program,
        argv=unit.argv,
        env=unit.env,
        files={path: _key(number) for number, path in enumerate(unit.files)},
        config=_config(naming, unit),
        hidden=secrecy.hidden(step.program, has_keys=unit.has_keys),
        sidecar=service if is_in_client(step) else None,
        stop=unit.substitute(service.stop or ()) if service else (),
        ready=unit.substitute(service.ready.probe.command) if service else (),
        port=unit.site.address.port,
        packages=packages,
        installs=unit.installs,
    )


def belongings(naming: Naming, secrecy: Secrecy, unit: Unit) -> list[Manifest]:
    """Return what the pods of a unit's step refer to and has to be there before: a Secret, a ConfigMap of its files."""
    hidden = secrecy.hidden(unit.program, has_keys=unit.has_keys)
    files = {_key(number): text for number, text in enumerate(unit.files.values())}
    name, step = _config(naming, unit), unit.step.name
    found = []
    if hidden:
        found.append(secret(naming, name, step, hidden.data(unit.env, unit.argv, files)))
    if files and not hidden.has_files:
        found.append(config_map(naming, name, step, files))
    return found


def _config(naming: Naming, unit: Unit) -> str:
    """Return what a unit's ConfigMap and its Secret are called: of a job's members each has its own, of its rank."""
    is_shared = isinstance(unit.step, Service)
    return naming.name(unit.step.name, unit.iteration) if is_shared else pod_name(naming, unit)


def _key(number: int) -> str:
    return f"file-{number}"

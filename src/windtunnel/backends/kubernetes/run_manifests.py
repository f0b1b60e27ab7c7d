"""What a run has on a cluster beside its steps' pods: what its warden needs, and a service's Service. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from windtunnel.backends.agent.places import PORT
from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.naming import PART, WARDEN, Naming
from windtunnel.backends.labels import PREFIX
from windtunnel.backends.unit import Unit
from windtunnel.plan import Gang, Job, Service

TURN = "turn"
"""What a target's Lease is labelled with, as it outlives the run's other objects."""
MEMBER = f"{PREFIX}member"
"""What the pods of members are labelled with: which of them each is, from 0, as ranks are."""


@dataclass(frozen=True)
class HostName:
    """What a pod is called by those that look its name up: ``NAME.SUBDOMAIN``, and ``NAME`` by itself.

    Attributes:
        name: Its host name.
        subdomain: The Service that publishes it.
    """

    name: str
    subdomain: str


def warden_belongings(naming: Naming, key: bytes, lease_seconds: float) -> list[Manifest]:
    """Return what a run's warden needs once its Job is there; the hub's Service is the last.

    Args:
        naming: The run's names, with the Job as the owner.
        key: The run's key.
        lease_seconds: How long the run goes on without its driver.
    """
    hub = manifests.service(naming, naming.home, WARDEN, {"batch.kubernetes.io/job-name": naming.home}, [PORT])
    hub["metadata"] = naming.metadata(naming.home)
    return [manifests.run_key(naming, key), manifests.scripts(naming), manifests.lease(naming, lease_seconds), hub]


def target_lease(naming: Naming, target: str, seconds: float) -> Manifest:
    """Return the Lease that a run has during its turn on a target.

    Args:
        naming: The run's names, for its turn.
        target: The target's name, which tells the Lease from those of other targets.
        seconds: How long the Lease lasts without being renewed.
    """
    made = manifests.lease(naming, seconds)
    made["metadata"] |= {"name": f"target-{target}"}
    made["metadata"]["labels"] |= {PART: "target"}
    return made


def step_services(naming: Naming, unit: Unit) -> Iterator[Manifest]:
    """Yield the Services by which the pods of a unit's step are reached.

    A gang has no one address, only names. The first member of a job has one that is there before it is: who looks up
    a name too early is told for half a minute that there is none.
    """
    step, address = unit.step, unit.site.address
    selector = manifests.step_selector(naming, step.name)
    if host := host_name(naming, unit):
        yield manifests.service(naming, host.subdomain, step.name, selector, [])
        if not isinstance(step, Gang):
            first = selector | {MEMBER: "0"}
            yield manifests.service(naming, address.host, step.name, first, [address.port] if address.port else [])
    elif isinstance(step, Service):
        asked = [step.ready.probe.port, step.live.probe.port if step.live else None]
        ports = sorted({port for port in (address.port, *asked) if port})
        yield manifests.service(naming, address.host, step.name, selector, ports)


def host_name(naming: Naming, unit: Unit) -> HostName | None:
    """Return what a unit's pod is called by others, if it is one of several that reach each other."""
    if unit.hostname is None:
        return None
    if isinstance(unit.step, Gang):
        return HostName(unit.hostname, unit.site.address.host)
    # The first one goes by the name that the others have for it: to itself that is its own address.
    return HostName(pod_name(naming, unit), f"{unit.site.address.host}-members")


def starts_together(unit: Unit) -> bool:
    """Tell whether a unit begins when all members of its step have a place: what some did alone would be measured."""
    return unit.hostname is not None and isinstance(unit.step, Job)


def pod_name(naming: Naming, unit: Unit) -> str:
    """Return the name of a unit's pod."""
    name = naming.name(unit.step.name, unit.iteration)
    if unit.installs:
        return f"{name}-python"
    return name if unit.number == 1 else f"{name}-replica-{unit.number}"

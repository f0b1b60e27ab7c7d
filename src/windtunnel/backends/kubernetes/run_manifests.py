"""What a run has on a cluster beside its steps' pods: what its warden needs, and a service's Service. No I/O."""

from __future__ import annotations

from windtunnel.backends.agent.places import PORT
from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.naming import PART, WARDEN, Naming
from windtunnel.backends.unit import Unit
from windtunnel.plan import Service

TURN = "turn"
"""What a target's Lease is labelled with, as it outlives the run's other objects."""


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


def step_service(naming: Naming, unit: Unit) -> Manifest | None:
    """Return the Service by which clients reach the pods of a unit's step; None if the step is no service."""
    service = unit.step
    if not isinstance(service, Service):
        return None
    asked = [service.ready.probe.port, service.live.probe.port if service.live else None]
    ports = sorted({port for port in (unit.site.address.port, *asked) if port})
    selector = manifests.step_selector(naming, service.name)
    return manifests.service(naming, unit.site.address.host, service.name, selector, ports)


def pod_name(naming: Naming, unit: Unit) -> str:
    """Return the name of a unit's pod."""
    name = naming.name(unit.step.name, unit.iteration)
    if unit.installs:
        return f"{name}-python"
    return name if unit.number == 1 else f"{name}-replica-{unit.number}"

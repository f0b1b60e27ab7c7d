"""Backends: where steps run. One table, with a row for each; a backend is imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from windtunnel.backends.traits import Traits
from windtunnel.errors import UsageError
from windtunnel.extras import load
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.backends.base import Backend

BACKENDS = {
    "process": Traits(
        where="windtunnel.backends.process:ProcessBackend",
        steps="processes",
        machine="this machine",
        images=False,
        limits=False,
        seals=False,
        replicas=False,
        gangs=False,
        absolute_paths=False,
    ),
    "docker": Traits(
        where="windtunnel.backends.docker:DockerBackend",
        steps="containers",
        machine="the daemon's machine",
        needs=("docker", "cryptography"),
    ),
    "kubernetes": Traits(
        where="windtunnel.backends.kubernetes:KubernetesBackend",
        steps="pods",
        needs=("kubernetes", "cryptography"),
        traces=False,
        stores={"pvc://": "windtunnel.backends.kubernetes.volume_claim:ClaimUpload"},
        targets="windtunnel.backends.kubernetes.target_lease:TargetLease",
        installer="windtunnel.backends.kubernetes.install",
    ),
    "recording": Traits(
        where="windtunnel.backends.recording:RecordingBackend",
        steps="records",
        traces=False,
        measures=False,
    ),
}
"""The backends by name. All else that has to know which there are, and what each can do, reads it here."""


def make_backend(name: str) -> Backend:
    """Return a new backend by its name.

    Raises:
        UsageError: No backend is called so.
    """
    if name not in BACKENDS:
        raise UsageError(f"no backend {name!r}{suggest(name, BACKENDS)} (known: {', '.join(BACKENDS)})")
    return cast("Backend", load(BACKENDS[name].where)())


def backends_that(can: Callable[[Traits], object]) -> list[str]:
    """Return the names of the backends that measure, and whose traits satisfy `can`."""
    return [name for name, traits in BACKENDS.items() if traits.measures and can(traits)]

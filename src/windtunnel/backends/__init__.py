"""Backends: where steps run. One table by name; each is imported when it is chosen."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from windtunnel.errors import UsageError
from windtunnel.names import nearest

if TYPE_CHECKING:
    from windtunnel.backends.base import Backend

BACKENDS = {
    "process": "windtunnel.backends.process:ProcessBackend",
    "docker": "windtunnel.backends.docker:DockerBackend",
    "kubernetes": "windtunnel.backends.kubernetes:KubernetesBackend",
    "recording": "windtunnel.backends.recording:RecordingBackend",
}


def make_backend(name: str) -> Backend:
    """Return a new backend by its name.

    Raises:
        UsageError: No backend is called so.
    """
    if name not in BACKENDS:
        raise UsageError(f"no backend {name!r}{nearest(name, BACKENDS)} (known: {', '.join(BACKENDS)})")
    module, _, attribute = BACKENDS[name].partition(":")
    return cast("Backend", getattr(import_module(module), attribute)())

"""Ports of this machine: chosen for a service, once nothing else listens there."""

from __future__ import annotations

import socket

from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Service


def choose_port(step: Service | Job) -> int | None:
    """Return a step's port: any free one for 0, and for a job whose members have to find each other.

    Raises:
        PlatformError: Something listens there already, or where a service will be asked: it would be measured
            instead (``port_taken``).
    """
    if isinstance(step, Job):
        return _claim(step.name, 0) if step.size else None
    return _service_port(step)


def _service_port(service: Service) -> int | None:
    probes = (service.ready.probe, service.live.probe if service.live else None)
    for port in {probe.port for probe in probes if probe and probe.port} - {service.port}:
        _claim(service.name, port)
    return None if service.port is None else _claim(service.name, service.port)


def _claim(name: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise PlatformError(
                f"{name}: port {port} cannot be used: {error.strerror};"
                " stop what listens there, or give port = 0 for any free one",
                code="port_taken",
                step=name,
            ) from None
        return int(probe.getsockname()[1])

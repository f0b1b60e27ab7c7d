"""What a run has on a daemon beside its steps' containers: networks, and the volume of its inputs. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from windtunnel.plan import Plan, Program

NO_HOST_ADDRESS = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""Without an address of the machine's on it, a program cannot connect to the machine (libnetwork, *labels.go*)."""


def network_specs(run_id: str, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the networks of a run, by name: the body of ``POST /networks/create``, its labels left out.

    Open steps are on the open one; sealed steps are on the sealed one, which Docker does not let
    out; open steps of a run that has sealed ones are on both, so that all reach each other.
    """
    kinds = {step.program.isolation for step in plan.steps}
    found: dict[str, dict[str, Any]] = {}
    if "open" in kinds:
        found[run_id] = {"Driver": "bridge"}
    if "sealed" in kinds:
        found[_sealed(run_id)] = {"Driver": "bridge", "Internal": True, "Options": NO_HOST_ADDRESS}
    return found


def networks_of(run_id: str, plan: Plan, program: Program) -> list[str]:
    """Return the names of the networks that a step is on; on the first one it is asked."""
    own = [] if program.isolation == "sealed" else [run_id]
    return [name for name in (*own, _sealed(run_id)) if name in network_specs(run_id, plan)]


def is_sealed(spec: Mapping[str, Any]) -> bool:
    """Tell whether a network leads nowhere."""
    return bool(spec.get("Internal"))


def input_volume_name(run_id: str) -> str:
    """Return the name of the volume with a run's inputs."""
    return f"{run_id}-inputs"


def environment_volume_name(run_id: str, key: str) -> str:
    """Return the name of the volume with a Python environment, which is kept under a key."""
    return f"{run_id}-python-{key}"


def filler_name(volume: str) -> str:
    """Return the name of the container by which a volume is filled."""
    return f"{volume}.filler"


def filler_spec(volume: str, target: PurePosixPath, image: str) -> dict[str, Any]:
    """Return the body of that container: only one gives access to a volume, and this one is never started.

    Args:
        volume: The volume's name.
        target: Where containers see it.
        image: Any image that is there; nothing of it is run.
    """
    mount = {"Type": "volume", "Source": volume, "Target": str(target)}
    return {"Image": image, "Cmd": ["true"], "NetworkDisabled": True, "HostConfig": {"Mounts": [mount]}}


def _sealed(run_id: str) -> str:
    return f"{run_id}-sealed"

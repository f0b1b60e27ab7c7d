"""Inputs that sealed steps read and cannot write: on a volume of the run's, which they see read-only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from windtunnel.backends.archive import INPUTS, packed_inputs
from windtunnel.backends.base import RunContext
from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.making import ResourceMaker

_WHAT, _CODE = "filling the inputs' volume", "volume_failed"


def make_input_volume(
    api: DockerApi, maker: ResourceMaker, inputs: Mapping[str, Path], image: str, context: RunContext
) -> str:
    """Make the volume with a run's inputs and return its name.

    Args:
        api: The daemon.
        maker: Makes it.
        inputs: Path, relative to the working folder, to where the input lies.
        image: Any image that is there; nothing of it is run.
        context: The run, whose control is asked meanwhile.

    Raises:
        PlatformError: The daemon refuses (``volume_failed``), or does not answer.
        TimedOut, Cancelled: As the run's control says.
    """
    volume = f"{maker.run_id}-inputs"
    maker.make_volume(volume, "making the inputs' volume", _CODE)
    # Only a container gives access to a volume; this one is never started.
    mount = {"Type": "volume", "Source": volume, "Target": str(INPUTS)}
    body = {"Image": image, "Cmd": ["true"], "NetworkDisabled": True, "HostConfig": {"Mounts": [mount]}}
    filler = maker.make_container(f"{volume}.filler", body, _WHAT, _CODE)
    with map_errors(_WHAT, _CODE):
        with packed_inputs(inputs, context.folder.path / "work", context.control.check) as archive:
            api.put_archive(filler, INPUTS, archive)
        api.remove_container(filler)
    return volume

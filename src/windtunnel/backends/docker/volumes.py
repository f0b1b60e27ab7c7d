"""Volumes of a run: what several steps see and none can write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.resource_maker import ResourceMaker
from windtunnel.backends.docker.run_spec import filler_name, filler_spec


@dataclass(frozen=True)
class Volume:
    """A volume that is to be made.

    Attributes:
        name: Its name.
        target: Where containers see it.
        image: The id of any image that is there; nothing of it is run.
        what: What it is called in messages, such as ``the inputs' volume``.
        code: The code of errors.
        step: The step that it is for, if for one.
    """

    name: str
    target: PurePosixPath
    image: str
    what: str
    code: str
    step: str | None = None


@contextmanager
def filling(api: DockerApi, maker: ResourceMaker, volume: Volume) -> Iterator[str]:
    """Make a volume and lend a container that has it, through which it is filled.

    Raises:
        PlatformError: The daemon refuses, or does not answer.
    """
    maker.make_volume(volume.name, f"making {volume.what}", volume.code, volume.step)
    what, body = f"filling {volume.what}", filler_spec(volume.name, volume.target, volume.image)
    filler = maker.make_container(filler_name(volume.name), body, what, volume.code, volume.step)
    with map_errors(what, volume.code, volume.step):
        yield filler
        api.remove_container(filler)

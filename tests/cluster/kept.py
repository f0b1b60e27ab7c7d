"""The images with which every node begins: unpacked once, and kept in a volume that outlives the cluster.

To unpack them takes longest of all that a cluster's start takes. A node links the layers into a folder of its own,
since nobody writes to them, and then takes in what has changed since.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cluster import docker, images, places, programs
from cluster.shell import Failed, run, succeeds, wait_until

_LAYERS = {name for sources in images.PROJECT.values() for name in sources if name.endswith(("Dockerfile", ".lock"))}
"""What the large layers are made from; that of the code is small, and its own matter."""
_CONTAINER = "images"


def volume() -> str:
    """Return the name of the volume for these programs and packages."""
    layers = {name: (places.CHECKOUT / name).read_bytes() for name in _LAYERS}
    key = programs.key_of(layers | {"cluster": programs.cluster_key().encode()})
    return f"{docker.IMAGES}-{key}"


def provide(mounts: dict[str, str], say: Callable[[str], None]) -> None:
    """Keep the add-ons' and the project's images, unless they are.

    Raises:
        Failed: They can't be unpacked; the message has what the container runtime says.
    """
    name = volume()
    if _is_there(name):
        return
    say("keeping the images for every node")
    _remove_others(name)
    label = f"--label={docker.LABEL}={programs.cluster_key()}"
    run(["docker", "volume", "create", label, name])
    docker.start(_CONTAINER, images.node_image(), "images", {**mounts, name: docker.IMAGES_MOUNT}, [label])
    try:
        wait_until("images can be kept", lambda: docker.works_in_node(_CONTAINER, ["ctr", "version"]), 60)
        docker.in_node(_CONTAINER, [*docker.CTR, "images", "import", "/cluster/images/addons.tar"])
        images.load([_CONTAINER], say)
        run(["docker", "stop", "--time=60", f"windtunnel-{_CONTAINER}"], timeout=90)
    finally:
        run(["docker", "rm", "--force", "--volumes", f"windtunnel-{_CONTAINER}"])
    if not _is_there(name):
        raise Failed(f"the images for every node could not be kept in the volume {name}")


def _is_there(name: str) -> bool:
    """Say whether a volume has them, whole."""
    if not succeeds(["docker", "volume", "inspect", name]):
        return False
    look = ["docker", "run", "--rm", f"--volume={name}:{docker.IMAGES_MOUNT}", images.node_image()]
    return succeeds([*look, "test", "-d", f"{docker.IMAGES_MOUNT}/kept"])


def _remove_others(name: str) -> None:
    """Remove the volumes of other versions, those that nothing uses."""
    found = run(["docker", "volume", "ls", "--quiet", "--filter", f"label={docker.LABEL}"]).split()
    for each in found:
        if each != name:
            with suppress(Failed):
                run(["docker", "volume", "rm", each])

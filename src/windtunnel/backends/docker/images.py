"""Images: found or pulled before anything starts, and known by their id from then on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.daemon import NOT_FOUND, DaemonError
from windtunnel.plan import Plan
from windtunnel.run.control import Control, run_cancellable

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Docker gives a container whose image says nothing."""
_SMALLER = {"amd64": "386", "arm64": "arm"}
"""What a machine runs beside its own."""
_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Image:
    """An image that is there.

    Attributes:
        name: As the benchmark calls it.
        id: What it is: a tag may be moved while a run goes on.
        digest: Where a registry has the same, ``name@sha256:…``; None if it was built here.
        user: Whom its commands run as; empty for root.
        env: Its variables.
        architecture: What its programs are for, as Docker names it.
    """

    name: str
    id: str
    digest: str | None
    user: str
    env: Mapping[str, str]
    architecture: str = ""

    def is_native(self, machine: str) -> bool:
        """Tell whether its programs run on a machine of this architecture as they are; unknown is yes."""
        return self.architecture in {"", machine, _SMALLER.get(machine)}

    def to_json(self) -> dict[str, str | None]:
        """Return what the run's folder keeps of it."""
        return {"image": self.name, "id": self.id, "digest": self.digest}


def find_images(api: DockerApi, plan: Plan, control: Control, say: Callable[[str, str], None]) -> dict[str, Image]:
    """Return the image of each step, by the step's name; what is not there is pulled.

    Args:
        api: The daemon.
        plan: The steps.
        control: Asked while a pull goes on.
        say: Told of each pull, with the step's name.

    Raises:
        PlatformError: One cannot be had (``image_pull``), in the daemon's words.
        TimedOut, Cancelled: As the control says.
    """
    found: dict[str, Image] = {}
    for step in plan.steps:
        name = step.program.image or ""
        known = next((image for image in found.values() if image.name == name), None)
        found[step.name] = known or _find(api, name, step.name, control, say)
    return found


def _find(api: DockerApi, name: str, step: str, control: Control, say: Callable[[str, str], None]) -> Image:
    path = f"/images/{quote(name, safe='/:')}/json"
    with map_errors(f"image {name!r}", "image_pull", step):
        try:
            return _describe(name, api.call("GET", path))
        except DaemonError as error:
            if error.status != NOT_FOUND:
                raise
    say(f"pulling image {name!r}", step)
    # Docker's own SDK is slow to load.
    from windtunnel.backends.docker.pulling import pull

    run_cancellable(control, lambda: pull(name, step))
    with map_errors(f"image {name!r}", "image_pull", step):
        return _describe(name, api.call("GET", path))


def _describe(name: str, facts: Mapping[str, Any]) -> Image:
    config = facts.get("Config") or {}
    env = dict(line.partition("=")[::2] for line in config.get("Env") or ())
    env.setdefault("PATH", DEFAULT_PATH)
    digests = [digest for digest in facts.get("RepoDigests") or () if _DIGEST.fullmatch(digest)]
    return Image(
        name,
        facts["Id"],
        digests[0] if digests else None,
        config.get("User") or "",
        env,
        facts.get("Architecture") or "",
    )

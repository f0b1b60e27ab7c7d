"""What a run makes on a daemon: containers, networks and volumes with its labels, of which its warden hears first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels


class ResourceMaker:
    """Makes the resources of one run.

    Args:
        api: The daemon.
        warden: Told before anything is made.
        labels: What everything carries.
        note: Told what the daemon warns of, with the step's name.

    Attributes:
        run_id: The run, with which all names begin.
        created: How many resources were made.
    """

    def __init__(
        self, api: DockerApi, warden: WardenClient, labels: RunLabels, note: Callable[[str, str | None], None]
    ) -> None:
        self._api, self._warden, self._labels, self._note = api, warden, labels, note
        self._warned: set[str] = set()
        self.run_id = labels.run_id
        self.created = 0

    def make_container(self, name: str, body: Mapping[str, Any], what: str, code: str, step: str | None = None) -> str:
        """Make a container and return its id.

        Args:
            name: Its name.
            body: What it is made of, as Docker's API has it, without labels.
            what: What it is made for, as it stands in an error's message.
            code: The code of an error.
            step: The step that it is for, if for one.

        Raises:
            PlatformError: The daemon refuses, or does not answer.
        """
        made = self._make(f"/containers/create?name={name}", name, body, (what, code, step))
        for warning in set(made.get("Warnings") or ()) - self._warned:
            self._warned.add(warning)
            self._note(f"Docker warns: {warning}", step)
        return str(made["Id"])

    def take_back(self, container: str) -> None:
        """Remove a container that was made in vain, and does not count (OSError)."""
        self._api.remove_container(container)
        self.created -= 1

    def make_network(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a network and return its id (PlatformError)."""
        words = ("making the run's network", "network_failed", None)
        return str(self._make("/networks/create", name, {"Name": name, **body}, words)["Id"])

    def make_volume(self, name: str, what: str, code: str, step: str | None = None) -> None:
        """Make a volume (PlatformError)."""
        self._make("/volumes/create", name, {"Name": name}, (what, code, step))

    def _make(self, path: str, name: str, body: Mapping[str, Any], words: tuple[str, str, str | None]) -> Any:
        labels = dict(self._labels.to_json(words[2]))
        with self._warden.creating(name), map_errors(*words):
            made = self._api.call("POST", path, {**body, "Labels": labels})
            self.created += 1
            return made

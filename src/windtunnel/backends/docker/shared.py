"""Inputs that sealed steps read and cannot write: on a volume of the run's, which they see read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from windtunnel.backends.archive import INPUTS, packed_inputs
from windtunnel.backends.docker.calls import APIClient, daemon_words
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels


class SharedInputs:
    """The volume with a run's inputs.

    Args:
        api: The daemon.
        warden: Told before anything is made.
        labels: What everything carries.

    Attributes:
        volume: Its name.
        created: How many things were made for it.
    """

    def __init__(self, api: APIClient, warden: WardenClient, labels: RunLabels) -> None:
        self._api, self._warden = api, warden
        self._labels = dict(labels.to_json())
        self.volume = f"{labels.run_id}-inputs"
        self.created = 0

    def fill(self, inputs: Mapping[str, Path], image: str, folder: Path, check: Callable[[], None]) -> None:
        """Make the volume and put the inputs on it.

        Args:
            inputs: Path, relative to the working folder, to where the input lies.
            image: Any image that is there; nothing of it is run.
            folder: Where an archive that is too large for memory is kept meanwhile.
            check: Asked meanwhile; what it raises ends that.
        """
        with self._warden.creating(self.volume), daemon_words("making the inputs' volume", "volume_failed"):
            self._api.create_volume(self.volume, labels=self._labels)
            self.created += 1
        # Only a container gives access to a volume; this one is never started.
        host = self._api.create_host_config(mounts=[{"Type": "volume", "Source": self.volume, "Target": str(INPUTS)}])
        name = f"{self.volume}.filler"
        with self._warden.creating(name), daemon_words("filling the inputs' volume", "volume_failed"):
            made = self._api.create_container(
                image, command=["true"], name=name, labels=self._labels, host_config=host, network_disabled=True
            )
            self.created += 1
        with daemon_words("filling the inputs' volume", "volume_failed"):
            with packed_inputs(inputs, folder, check) as archive:
                self._api.put_archive(made["Id"], str(INPUTS), archive)
            self._api.remove_container(made["Id"], v=True, force=True)

"""How the objects of one run on Kubernetes are called, labelled and selected: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from windtunnel.backends.labels import DRIVER, EXPIRES, PREFIX, RUN, RunLabels

WARDEN = "warden"
STORE = f"{PREFIX}store"
"""What carries it outlives the run's other objects: what stores the run, and its turn on a target."""
ITERATION = f"{PREFIX}iteration"
"""What the pods carry that an engine makes for the iterations of a job; they are for that engine to remove."""
PART = f"{PREFIX}part"
"""What carries it belongs to the run as a whole, not to a step."""
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True)
class Naming:
    """How the objects of one run are called and labelled.

    Attributes:
        labels: The run's labels.
        salt: What all names end with, so that two runs never meet.
        store: Where these are the objects of what stores the run: what tells it from others that did, or do.
        owner: The warden's Job, once it is there: what it owns goes with it; before, what owns that Job, if anything.
    """

    labels: RunLabels
    salt: str
    store: str = ""
    owner: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, labels: RunLabels, store: str = "", owner: Mapping[str, Any] | None = None) -> Naming:
        """Return the names of a run; they follow from its id."""
        return cls(labels, salt_of(labels.run_id), store, owner)

    @property
    def title(self) -> str:
        """What has them in its care."""
        return "store" if self.store else WARDEN

    @property
    def home(self) -> str:
        """What the warden's own objects are called."""
        return self.name(f"{self.title}-{self.store}" if self.store else self.title)

    def name(self, title: str, iteration: int | None = None) -> str:
        """Return the name of an object: a DNS label of 63 characters at most."""
        return f"{title}-{self.salt}" + ("" if iteration is None else f"-{iteration}")

    @property
    def own(self) -> dict[str, str]:
        """What all objects of the run are labelled with, and no others."""
        return {RUN: self.labels.run_id}

    @property
    def selector(self) -> str:
        """What selects all objects of the run, or of what stores it."""
        return f"{RUN}={self.labels.run_id},{f'{STORE}={self.store}' if self.store else f'!{STORE}'}"

    @property
    def made(self) -> str:
        """What selects those of them that the driver made, and has to remove."""
        return f"{self.selector},!{ITERATION}"

    def metadata(self, name: str, step: str | None = None) -> dict[str, Any]:
        """Return the metadata of an object that belongs to `step`, or to the run as a whole."""
        everything: dict[str, str] = dict(self.labels.to_json(step))
        labels = {
            key: value
            for key, value in everything.items()
            if key not in {EXPIRES, DRIVER} and _LABEL_VALUE.fullmatch(value)
        }
        annotations = {key: value for key, value in everything.items() if key not in labels}
        annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false"
        if step is None:
            labels[PART] = self.title
        if self.store:
            labels[STORE] = self.store
        return {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [dict(self.owner)] if self.owner else [],
        }


def salt_of(run_id: str) -> str:
    """Return what the names of a run's objects have in them."""
    return sha256(run_id.encode()).hexdigest()[:8]

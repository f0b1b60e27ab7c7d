"""A cluster that has one workflow and changes it as the API does, for tests without a cluster."""

from __future__ import annotations

import json
from typing import Any, cast

from windtunnel.backends.kubernetes.api import CONFLICT, Cluster, Refused


def merged(kept: Any, body: Any) -> Any:
    """Return what a JSON merge patch (RFC 7386) makes of a document."""
    if not isinstance(body, dict):
        return body
    found = dict(kept) if isinstance(kept, dict) else {}
    for key, value in body.items():
        found[key] = merged(found.get(key), value)
    return {key: value for key, value in found.items() if value is not None}


class KeptWorkflow:
    """The cluster.

    Args:
        workflow: The workflow as it is at first.
    """

    namespace = "default"

    def __init__(self, workflow: dict[str, Any]) -> None:
        self.workflow = workflow
        self.reads = self.patches = 0

    def call(self, method: str, _path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it or patch it."""
        version = str(self.patches)
        if method != "PATCH":
            self.reads += 1
        elif body and body.get("metadata", {}).get("resourceVersion", version) != version:
            raise Refused(CONFLICT, "the object has been modified")
        else:
            self.patches += 1
            self.workflow = merged(self.workflow, body)
        self.workflow["metadata"]["resourceVersion"] = str(self.patches)
        return cast("dict[str, Any]", json.loads(json.dumps(self.workflow)))

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)

    @property
    def nodes(self) -> dict[str, Any]:
        """The workflow's nodes by their ids."""
        return cast("dict[str, Any]", self.workflow["status"]["nodes"])

    @property
    def labels(self) -> dict[str, str]:
        """The workflow's labels by their last part."""
        return {key.rpartition("/")[2]: value for key, value in self.workflow["metadata"]["labels"].items()}

"""Which object of a cluster is a run's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes.client import ApiClient

from windtunnel.backends.kubernetes.api import Cluster, Refused

MINE: dict[str, Any] = {
    "name": "warden-1",
    "labels": {"run": "1"},
    "annotations": {"driver": "a"},
    "ownerReferences": [{"uid": "u"}],
}


@dataclass(frozen=True)
class Full(Cluster):
    """A cluster that has an object of every name already."""

    there: Any = None

    def call(self, method: str, *_arguments: object, **_options: object) -> Any:
        """Refuse to make it again, and return it."""
        if method == "POST":
            raise Refused(409, "already exists")
        return {"metadata": self.there}


def create(there: dict[str, Any]) -> Any:
    """Make an object where there is one of its name."""
    with ApiClient() as api:
        return Full(api, "default", "here", there=there).create({"kind": "Job", "metadata": MINE})


def test_an_object_that_was_made_though_the_answer_was_lost_is_taken() -> None:
    """Also with annotations of the cluster's own."""
    there = MINE | {"annotations": {"driver": "a", "cluster": "b"}, "uid": "x"}
    assert create(there) == {"metadata": there}


@pytest.mark.parametrize(
    "other",
    [
        {"annotations": {"driver": "another"}},
        {"labels": {"run": "2"}},
        {"ownerReferences": [{"uid": "another"}]},
        {"ownerReferences": None},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_an_object_of_another_run_is_none_of_ones_own(other: dict[str, Any]) -> None:
    """Two drivers that begin in one second may choose the same id: the second is refused."""
    with pytest.raises(Refused, match="already exists"):
        create(MINE | other)

"""An API that is only played: Leases with versions, and lists of other objects."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster, Refused

Thing = dict[str, Any]


@dataclass
class Store:
    """What the API has.

    Attributes:
        leases: The Leases by path.
        objects: Objects of other kinds by the path of all of a kind.
        on_look: Called with the number of each look at a Lease, before it is answered.
        before_change: Called with the method before a Lease is changed or deleted.
        changes: What was changed, as ``METHOD path``.
    """

    leases: dict[str, Thing] = field(default_factory=dict)
    objects: dict[str, list[Thing]] = field(default_factory=dict)
    on_look: Callable[[int], None] = lambda _number: None
    before_change: Callable[[str], None] = lambda _method: None
    changes: list[str] = field(default_factory=list)
    versions: count[int] = field(default_factory=lambda: count(1))
    looks: count[int] = field(default_factory=lambda: count(1))

    def put(self, path: str, lease: Thing) -> None:
        """Have a Lease, in a new version."""
        lease["metadata"] |= {"resourceVersion": str(next(self.versions))}
        lease["metadata"].setdefault("uid", f"uid-{next(self.versions)}")
        self.leases[path] = lease


@dataclass(frozen=True)
class PlayedCluster(Cluster):
    """A namespace of that API."""

    store: Store = field(default_factory=Store)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        timeout: float = 0.0,
    ) -> Any:
        """Answer as an API does, with optimistic concurrency."""
        del timeout
        store = self.store
        if query is not None:
            return {"items": [each for each in store.objects.get(path, []) if _selects(query["labelSelector"], each)]}
        if method == "POST":
            return self._create(f"{path}/{body['metadata']['name']}", body)
        if method == "GET":
            store.on_look(next(store.looks))
        if path not in store.leases:
            raise Refused(404, "not found")
        if method != "GET":
            self._change(method, path, body)
        return copy.deepcopy(store.leases.get(path))

    def _create(self, path: str, body: Thing) -> Thing:
        if path in self.store.leases:
            raise Refused(409, "already exists")
        self.store.changes.append(f"POST {path}")
        self.store.put(path, copy.deepcopy(body))
        return copy.deepcopy(self.store.leases[path])

    def _change(self, method: str, path: str, body: Thing) -> None:
        self.store.before_change(method)
        lease = self.store.leases[path]
        asked = body["preconditions"] if method == "DELETE" else body["metadata"]
        if asked["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            raise Refused(409, "the object has been modified")
        self.store.changes.append(f"{method} {path}")
        if method == "DELETE":
            del self.store.leases[path]
        else:
            _merge(lease, body)
            self.store.put(path, lease)


def _merge(there: Thing, patch: Mapping[str, Any]) -> None:
    """Merge as RFC 7396 says."""
    for key, value in patch.items():
        if isinstance(value, Mapping):
            _merge(there.setdefault(key, {}), value)
        elif value is None:
            there.pop(key, None)
        else:
            there[key] = value


def _selects(selector: str, thing: Thing) -> bool:
    labels = thing["metadata"]["labels"]
    found = [re.fullmatch(r"(.+?)(!?=)(.*)", each) for each in selector.split(",")]
    return all(each and (labels.get(each[1]) == each[3]) == (each[2] == "=") for each in found)

"""Questions to a cluster that are asked again and again: in this process, as kubectl takes fifty times the CPU time."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import urlencode

from kubernetes import client, config

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


def read(path: str, **query: str) -> dict[str, Any]:
    """Return what the API has at a path, with the current context."""
    return _get(f"{path}?{urlencode(query)}", "application/json")


def labels(path: str) -> dict[str, str]:
    """Return an object's labels, as the API's cache has them: of a large object that takes little.

    One that was just made may not be in the cache.
    """
    cached = _ask(f"{path}?resourceVersion=0", _METADATA_ONLY)
    answer = cached if cached.status == 200 else _request(path, _METADATA_ONLY)
    found: dict[str, str] = json.loads(answer.data)["metadata"].get("labels", {})
    return found


def names(path: str) -> list[str]:
    """Return the names of the objects that a path lists."""
    return [each["metadata"]["name"] for each in _get(path, _NAMES_ONLY)["items"] or ()]


@cache
def namespace() -> str:
    """Return the namespace of the current context."""
    _contexts, current = config.list_kube_config_contexts()
    return str(current["context"].get("namespace") or "default")


def watch(path: str, seconds: int) -> Any:
    """Return the open answer that has a line for each change of the objects of a path from now on, metadata only."""
    version = _get(f"{path}?limit=1", _NAMES_ONLY)["metadata"]["resourceVersion"]
    query = urlencode({"watch": 1, "resourceVersion": version, "timeoutSeconds": seconds})
    return _request(f"{path}?{query}", _METADATA_ONLY, preload_content=False, timeout=seconds + 10)


def _get(path: str, accept: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_request(path, accept).data)
    return found


def _ask(path: str, accept: str, **options: Any) -> Any:
    api = _api()
    headers = api.default_headers | _credentials() | {"Accept": accept}
    return api.rest_client.pool_manager.request("GET", f"{api.configuration.host}{path}", headers=headers, **options)


def _request(path: str, accept: str, **options: Any) -> Any:
    answer = _ask(path, accept, **options)
    assert answer.status == 200, f"{path}: {answer.data.decode(errors='replace')}"
    return answer


@cache
def _api() -> client.ApiClient:
    return config.new_client_from_config()


def _credentials() -> dict[str, str]:
    """Return the header that lets somebody in who has a token; a certificate is the connection's."""
    token = _api().configuration.get_api_key_with_prefix("authorization")
    return {"authorization": token} if token else {}

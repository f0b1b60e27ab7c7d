"""The manifests of a Prefect server and of a worker on Kubernetes, as somebody applies them with kubectl."""

from __future__ import annotations

import json

from windtunnel.backends.kubernetes.settings import runner_image
from windtunnel.content import prefect_manifest
from windtunnel.install_options import PoolOptions

NAMES = ("server", "worker")
_IMAGE = "image: windtunnel\n"
_API_URL = "value: http://prefect-server:4200/api}\n"
"""The worker's: that of the server of the other manifest, in the same namespace."""


def manifest(name: str, options: PoolOptions) -> str:
    """Return one of `NAMES` as YAML, with its comments.

    Args:
        name: Which one.
        options: The image, and for a worker the address of the API; else that of the other manifest's server.

    Raises:
        UsageError: Pods cannot use the address.
    """
    text = _put(prefect_manifest(name), _IMAGE, f"image: {options.image or runner_image()}\n")
    if name == "server" or not options.api_url:
        return text
    from windtunnel.engines.prefect.api_address import address_for_pods

    return _put(text, _API_URL, f"value: {json.dumps(address_for_pods(options.api_url))}}}\n")


def _put(text: str, place: str, value: str) -> str:
    if text.count(place) != 1:
        raise ValueError(f"{place!r} is not there once")
    return text.replace(place, value)

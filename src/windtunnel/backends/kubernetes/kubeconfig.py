"""Where the cluster is, and who asks it: a kubeconfig, or the account of the pod that this runs in."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, list_kube_config_contexts

from windtunnel.errors import PlatformError

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def load(configuration: Configuration) -> tuple[str | None, str]:
    """Fill a configuration; return the namespace that is meant, if one is, and what the user calls the cluster.

    Raises:
        PlatformError: No cluster is configured, or there are no credentials for it.
    """
    try:
        if _has_kubeconfig():
            with _told():
                load_kube_config(client_configuration=configuration)
            context = list_kube_config_contexts()[1]
            return context["context"].get("namespace"), str(context["name"])
        if _is_in_cluster():
            load_incluster_config(client_configuration=configuration)
            return _NAMESPACE_FILE.read_text(encoding="ascii").strip(), "this cluster"
    except (ConfigException, OSError, KeyError, TypeError) as error:
        raise PlatformError(f"the kubeconfig cannot be used: {error}", code="no_cluster") from None
    raise PlatformError("no cluster is configured; set KUBECONFIG", code="no_cluster")


def is_configured() -> bool:
    """Tell whether there is anything that says where a cluster is."""
    return _has_kubeconfig() or _is_in_cluster()


class _Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the words."""
        self.words.append(record.getMessage())


@contextmanager
def _told() -> Iterator[None]:
    """Raise what is logged as an error: without credentials from its plugin, the client goes on as nobody."""
    errors, root = _Errors(), logging.getLogger()
    root.addHandler(errors)
    try:
        yield
    finally:
        root.removeHandler(errors)
    if errors.words:
        raise ConfigException(f"no credentials: {'; '.join(errors.words)}")


def _has_kubeconfig() -> bool:
    places = KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep)
    return any(Path(place).expanduser().exists() for place in places if place)


def _is_in_cluster() -> bool:
    return bool(os.environ.get(SERVICE_HOST_ENV_NAME)) and Path(SERVICE_TOKEN_FILENAME).exists()

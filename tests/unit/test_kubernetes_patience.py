"""How long a cluster's API is waited for that takes connections and never answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from kubernetes.client import ApiClient, Configuration

from windtunnel.backends.kubernetes import outage as module
from windtunnel.backends.kubernetes.api import API_LOST, OUTAGE_SECONDS, Cluster
from windtunnel.backends.kubernetes.outage import Patience
from windtunnel.errors import PlatformError

OUTAGE_LEFT = OUTAGE_SECONDS / 2
"""What is over in half the time of an outage did not wait for it."""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Lend a cluster that takes connections and never answers; nobody is in a hurry."""
    monkeypatch.setattr(module, "HURRY_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with closing(ApiClient(configuration)) as api:
            yield Cluster(api, "default", "here", Patience())


def test_somebody_in_a_hurry_does_not_wait_for_an_api_that_is_silent(silent: Cluster) -> None:
    """Also if they come to be while it is asked; what is asked next fails at once."""
    threading.Timer(0.2, lambda: setattr(silent.patience, "is_urgent", lambda: True)).start()
    began = time.monotonic()
    with pytest.raises(PlatformError, match="does not answer") as raised:
        silent.call("GET", "/version")
    with pytest.raises(PlatformError):
        silent.call("GET", "/version")
    with pytest.raises(OSError, match="no answer"):
        silent.execute("pod", "container", ["true"])

    assert raised.value.code == API_LOST
    assert time.monotonic() - began < OUTAGE_LEFT


def test_an_outage_is_waited_for_once(silent: Cluster) -> None:
    """What comes after it, such as the teardown, is tried once and for a moment."""
    silent.patience.is_lost = True
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(PlatformError, match="does not answer"):
            silent.call("DELETE", "/api/v1/namespaces/default/pods/server")

    assert time.monotonic() - began < OUTAGE_LEFT


def test_an_answer_ends_an_outage() -> None:
    """From then on there is time again."""
    patience = Patience()
    patience.is_lost = True

    assert patience.wait(lambda: 7) == 7
    assert not patience.is_lost

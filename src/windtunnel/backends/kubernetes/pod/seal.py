"""Runs in a sealed step's pod before it: tries to get out, and fails the pod if it can.

A NetworkPolicy is accepted by clusters whose network does not enforce it. Enforcement may
come a moment after the pod, so what answers is asked again for a while.
"""

from __future__ import annotations

import os
import socket
import sys
import time

PATIENCE_SECONDS = 8.0
CONNECT_SECONDS = 1.0
PAUSE_SECONDS = 0.2


def is_open(host: str, port: int) -> bool:
    """Tell whether a connection can be made."""
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def main() -> None:
    """Return when the cluster's API cannot be reached; end with status 1 if it can for too long."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_open(host, port):
        if time.monotonic() > deadline:
            sys.exit(f"{host}:{port}, the cluster's API, can be reached: NetworkPolicy is not enforced here")
        time.sleep(PAUSE_SECONDS)

"""What the environment says of runs on a cluster."""

from __future__ import annotations

import os
import re

from windtunnel.errors import UsageError

ACCOUNT = "windtunnel-warden"
"""The service account of wardens; ``install kubernetes`` makes it."""
RUNNER = "windtunnel-runner"
"""The account, and its role, of those who run benchmarks from within the cluster, such as a worker."""
S3_SECRET = "windtunnel-s3"  # noqa: S105 - its name
"""The Secret of variables, such as AWS_ACCESS_KEY_ID, by which a driver in a pod keeps runs; it may be missing."""
PIP_SECRET = "windtunnel-pip"  # noqa: S105 - its name
"""The Secret of variables, such as PIP_INDEX_URL, by which pip reaches its index for a driver in a pod; it may be
missing."""
POD, POD_UID = "WINDTUNNEL_POD", "WINDTUNNEL_POD_UID"
"""Variables with the name and the uid of the pod that a driver runs in."""
POD_FIELDS = {POD: "metadata.name", POD_UID: "metadata.uid"}
"""The fields of a pod that Kubernetes puts into them."""
LEAST_LEASE = 3.0
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def runner_image() -> str:
    """Return the image of wardens and collectors: any with Python."""
    return os.environ.get("WINDTUNNEL_RUNNER_IMAGE") or "windtunnel"


def lease_seconds() -> float:
    """Return how long a run goes on without its driver.

    Raises:
        UsageError: ``WINDTUNNEL_LEASE_SECONDS`` is not a number, or too small.
    """
    text = os.environ.get("WINDTUNNEL_LEASE_SECONDS") or "30"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_LEASE <= seconds < float("inf"):
        raise UsageError(f"WINDTUNNEL_LEASE_SECONDS={text}: give a number of seconds, {LEAST_LEASE:g} at least")
    return seconds


def named_namespace() -> str | None:
    """Return the namespace that ``WINDTUNNEL_NAMESPACE`` names, or None (UsageError if it can be none)."""
    text = os.environ.get("WINDTUNNEL_NAMESPACE") or None
    if text and not _NAMESPACE.fullmatch(text):
        raise UsageError(f"WINDTUNNEL_NAMESPACE={text}: small letters, digits and '-', 63 characters at most")
    return text

"""Where the cluster keeps its things: nothing lies in the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import programs

CHECKOUT = programs.HERE.parent.parent


def cache() -> Path:
    """Return the project's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windtunnel"


def built() -> Path:
    """Return the folder of what is built from these versions."""
    return cache() / programs.build_key()


def binary(name: str) -> Path:
    """Return where a program lies, built or not."""
    return built() / "bin" / name


def kubectl() -> Path | None:
    """Return a kubectl: the one of these versions, else any that was built, else the user's own."""
    others = sorted(cache().glob("*/bin/kubectl"))
    own = shutil.which("kubectl")
    found = [path for path in (binary("kubectl"), *others) if path.is_file()] + ([Path(own)] if own else [])
    return found[0] if found else None


def state() -> Path:
    """Return the folder of the running cluster's keys and configuration."""
    return cache() / "cluster"


def checked() -> Path:
    """Return the file that is there once the running cluster has passed its checks."""
    return state() / "checked"


def admin() -> Path:
    """Return the kubeconfig with every right; it belongs to the cluster, not to the user."""
    return state() / "conf" / "super-admin.conf"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time build, start or remove; the others wait."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that has {file.name}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

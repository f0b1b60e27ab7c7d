"""What a pod's node is, as can be seen from within a pod."""

from __future__ import annotations

import os
import platform
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def describe_host() -> dict[str, Any]:
    """Return the node's CPU, kernel and memory in bytes; null for what it does not tell."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "memory": _memory(),
    }


def _memory() -> int | None:
    value = _field("/proc/meminfo", "MemTotal")
    return int(value.split()[0]) * 1024 if value else None


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == name), None)

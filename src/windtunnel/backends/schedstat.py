"""How long threads waited for a CPU, as Linux counts it."""

from __future__ import annotations

from pathlib import Path


def run_delays(pid: int) -> dict[int, int]:
    """Return nanoseconds that each thread waited on a run queue (Linux, sched-stats.rst)."""
    delays = {}
    try:
        for path in Path(f"/proc/{pid}/task").iterdir():
            delays[int(path.name)] = int((path / "schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        pass
    return delays

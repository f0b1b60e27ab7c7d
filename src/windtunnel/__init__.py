"""Windtunnel runs benchmarks as workflows and returns numbers that can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windtunnel.analysis.export import load_runs
    from windtunnel.analysis.frames import Run, load_run

__all__ = ["Run", "load_run", "load_runs"]


def __getattr__(name: str) -> Any:
    # pandas takes longer to import than most commands take to run.
    if name in __all__:
        from windtunnel.analysis import export, frames

        return getattr(export if name == "load_runs" else frames, name)
    raise AttributeError(f"module 'windtunnel' has no attribute {name!r}")

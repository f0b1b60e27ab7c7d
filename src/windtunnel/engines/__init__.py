"""Engines: who walks the plan. One table by name; each is imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from windtunnel.errors import UsageError
from windtunnel.names import nearest

if TYPE_CHECKING:
    from windtunnel.engines.request import Request
    from windtunnel.run.record import RunRecord

ENGINES = {
    "inline": "windtunnel.engines.inline:run",
    "prefect": "windtunnel.engines.prefect:run",
}
_NEEDS = {"prefect": ("prefect",), "argo": ("hera", "kubernetes", "yaml")}
"""The packages of an engine's extra that are looked for; Argo's runs are submitted, not run from here."""


def engine_unavailable(name: str) -> str | None:
    """Return why an engine does not work here, or None if it does; it is not imported for that."""
    missing = [each for each in _NEEDS.get(name, ()) if find_spec(each) is None]
    return f"pip install 'windtunnel[{name}]'" if missing else None


def require_engine(name: str) -> None:
    """Check that an engine works here (UsageError with what to install, otherwise)."""
    if reason := engine_unavailable(name):
        raise UsageError(f"engine {name}: {reason}")


def find_engine(name: str) -> Callable[[Request], RunRecord]:
    """Return the function that runs a request on the engine called `name`.

    Raises:
        UsageError: No engine is called so, or its extra is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}{nearest(name, ENGINES)} (known: {', '.join(ENGINES)})")
    require_engine(name)
    module, _, attribute = ENGINES[name].partition(":")
    return cast("Callable[[Request], RunRecord]", getattr(import_module(module), attribute))

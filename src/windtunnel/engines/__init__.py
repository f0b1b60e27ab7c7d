"""Engines: who walks the plan. One table by name; each is imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from windtunnel.errors import Unsupported, UsageError
from windtunnel.names import nearest

if TYPE_CHECKING:
    from windtunnel.engines.execute import Request
    from windtunnel.run.record import RunRecord

ENGINES = {"inline": "windtunnel.engines.inline:run"}
LATER_ENGINES = ("prefect",)


def find_engine(name: str) -> Callable[[Request], RunRecord]:
    """Return the function that runs a request on the engine called `name`.

    Raises:
        UsageError: No engine is called so.
        Unsupported: It is known and cannot be used yet.
    """
    if name in LATER_ENGINES:
        raise Unsupported(f"engine {name!r}: not yet; use inline")
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}{nearest(name, ENGINES)} (known: {', '.join(ENGINES)})")
    module, _, attribute = ENGINES[name].partition(":")
    return cast("Callable[[Request], RunRecord]", getattr(import_module(module), attribute))

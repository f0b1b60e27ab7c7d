"""Engines: what walks a plan. One row for each; an engine is imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from windtunnel.errors import UsageError
from windtunnel.extras import load, missing_extra
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.engines.request import Request
    from windtunnel.run.record import RunRecord


@dataclass(frozen=True)
class Engine:
    """A row of the table; the engine itself is the package of its name in this one.

    Attributes:
        name: The engine's name: in records, in `doctor`, and of the extra that it needs.
        needs: Packages of that extra which are looked for.
        run: The function that runs a request here, as ``module:function``; None if runs are submitted.
        submit: The command that submits a benchmark, if that is the way.
        installer: The module that makes what its server needs once (see `Installer`), if it needs that.
        reach: The function that says why its server cannot be reached, if one is needed, as ``module:function``.
        server: The function that says what there is of a server that is not needed, as ``module:function``.
    """

    name: str
    needs: tuple[str, ...] = ()
    run: str | None = None
    submit: str | None = None
    installer: str | None = None
    reach: str | None = None
    server: str | None = None


ENGINES = {
    row.name: row
    for row in (
        Engine("inline", run="windtunnel.engines.inline:run"),
        Engine(
            "prefect",
            needs=("prefect",),
            run="windtunnel.engines.prefect:run",
            installer="windtunnel.engines.prefect.install",
            server="windtunnel.engines.prefect.readiness:rows",
        ),
        Engine(
            "argo",
            needs=("hera", "kubernetes", "yaml"),
            submit="windtunnel submit FILE",
            installer="windtunnel.engines.argo.install",
            reach="windtunnel.engines.argo.workflow:unreachable",
        ),
    )
}
RUN_HERE = tuple(row.name for row in ENGINES.values() if row.run)
"""The engines that `run` has; to the others a benchmark is submitted."""


def require_engine(name: str) -> None:
    """Check that an engine's extra is installed (UsageError with what to install, otherwise)."""
    if reason := missing_extra(name, ENGINES[name].needs):
        raise UsageError(f"engine {name}: {reason}")


def engine_unavailable(name: str) -> str | None:
    """Return why an engine does not work here, or None if it does."""
    reach = ENGINES[name].reach
    return missing_extra(name, ENGINES[name].needs) or (load(reach)() if reach else None)


def server_rows(name: str) -> list[tuple[str, str, str | None]]:
    """Return the parts of an engine's server, if it has one: kind, name, and why it does not work, if so."""
    row = ENGINES[name]
    return list(load(row.server)()) if row.server and not missing_extra(name, row.needs) else []


def find_engine(name: str) -> Callable[[Request], RunRecord]:
    """Return the function that runs a request on the engine called `name`.

    Raises:
        UsageError: No engine is called so, its runs are submitted, or its extra is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}{suggest(name, RUN_HERE)} (known: {', '.join(RUN_HERE)})")
    row = ENGINES[name]
    if row.run is None:
        raise UsageError(f"engine {name}: its runs are not started from here; use `{row.submit}`")
    require_engine(name)
    return cast("Callable[[Request], RunRecord]", load(row.run))

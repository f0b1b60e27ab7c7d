"""Commands that put benchmarks on a server: deploy, install."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from windtunnel.backends import BACKENDS
from windtunnel.cli.app import app
from windtunnel.cli.descriptor import FileArgument, RepeatsOption, SetOption, load_with_notes, with_repeats
from windtunnel.cli.output import echo, print_json
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption
from windtunnel.engines import ENGINES
from windtunnel.errors import PlatformError, UsageError
from windtunnel.extras import missing_extra
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.install_options import Installer


INSTALLERS = {name: row.installer for name, row in BACKENDS.items() if row.installer}
INSTALLERS |= {name: row.installer for name, row in ENGINES.items() if row.installer}
"""The modules that make a platform ready, by the name of its backend or engine."""


@app.command(
    epilog="Examples: windtunnel deploy redis.toml · "
    "windtunnel deploy redis.toml --queue big-machine --set run.schedule='0 3 * * *'"
)
def deploy(
    file: FileArgument,
    pool: Annotated[str, typer.Option(help="The work pool that runs it.")] = "windtunnel",
    queue: Annotated[str | None, typer.Option(help="A work queue of that pool; else its default one.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="Where steps run; else what goes with the pool: process, or kubernetes.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where processes start, as the worker sees it; else the current folder.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Of a pool of Kubernetes' Jobs: Windtunnel's image; else the pool's.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Of such a pool: where the Jobs are made; else the pool's.")
    ] = None,
    overrides: SetOption = None,
    repeats: RepeatsOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="A suspect result is a failure.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy a benchmark to a Prefect server, with its schedule; again replaces it."""
    from windtunnel.engines import require_engine

    loaded, plan = load_with_notes(file, with_repeats(overrides, repeats))
    require_engine("prefect")
    from windtunnel.engines.prefect.benchmark_deployment import Target
    from windtunnel.engines.prefect.benchmark_deployment import deploy as deploy_benchmark
    from windtunnel.engines.prefect.deployment import worker_command

    target = Target(pool=pool, queue=queue, backend=backend, folder=folder, image=image, namespace=namespace)
    deployed = deploy_benchmark(loaded, plan, target, strict=strict)
    if as_json:
        print_json(asdict(deployed))
        return
    where = f"the work pool {deployed.pool}, queue {deployed.queue or 'default'}, with the {deployed.backend} backend"
    echo(f"deployed {deployed.name} to {where}")
    if deployed.schedule:
        echo(f"runs by itself at {deployed.schedule!r} {deployed.timezone}, next at {deployed.next_run}")
    echo(f"keeps runs in {deployed.store}")
    if deployed.url:
        echo(f"look at it: {deployed.url}")
    echo(f"run it now: prefect deployment run {deployed.name}")
    echo(f"a worker:   {worker_command(deployed.pool, deployed.queue, deployed.pool_type)}")


@app.command(
    epilog="Examples: PREFECT_API_URL=http://127.0.0.1:4200/api windtunnel install prefect · "
    "windtunnel install kubernetes --print | kubectl apply -f - · windtunnel install argo --namespace bench"
)
def install(
    platform: Annotated[str, typer.Argument(help=f"Where to: {', '.join(INSTALLERS)}.", show_default=False)],
    store: FolderOption = DEFAULT_STORE,
    namespace: Annotated[
        str | None, typer.Option(help="kubernetes, argo: the namespace; else the context's own.", show_default=False)
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="kubernetes, argo: print the manifests, apply nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make what a platform needs once; again changes nothing that somebody else has set."""
    installer = _find_installer(platform)
    if only_print:
        print_json({"apiVersion": "v1", "kind": "List", "items": installer.as_manifests(namespace)})
        return
    installed = installer.install(store, namespace)
    if as_json:
        place = {"namespace": installed.namespace} if installed.namespace else {}
        print_json({"platform": platform, **place, "installed": list(installed.lines)})
        return
    for line in (*installed.lines, *installed.hints):
        echo(line)


def _find_installer(name: str) -> Installer:
    """Return what makes a platform ready.

    Raises:
        UsageError: Nothing is to be made for what is called so, or its engine's extra is missing.
        PlatformError: Its backend's extra is missing.
    """
    from importlib import import_module

    from windtunnel.engines import require_engine

    if name not in INSTALLERS:
        known = ", ".join(INSTALLERS)
        raise UsageError(f"nothing is to be installed for {name!r}{suggest(name, INSTALLERS)} (known: {known})")
    if name in ENGINES:
        require_engine(name)
    elif reason := missing_extra(name, BACKENDS[name].needs):
        raise PlatformError(f"{name}: {reason}", code="backend_unavailable")
    return cast("Installer", import_module(INSTALLERS[name]))

"""The command that makes a platform ready: install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from windtunnel.backends import BACKENDS
from windtunnel.cli.app import app
from windtunnel.cli.output import echo, print_json
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption
from windtunnel.engines import ENGINES
from windtunnel.errors import PlatformError, UsageError
from windtunnel.extras import missing_extra
from windtunnel.install_options import START_SECONDS, InstallOptions, PoolOptions
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.install_options import Installer

INSTALLERS = {name: row.installer for name, row in BACKENDS.items() if row.installer}
INSTALLERS |= {name: row.installer for name, row in ENGINES.items() if row.installer}
"""The modules that make a platform ready, by the name of its backend or engine."""
_POOLS = "prefect"
"""The platform that has work pools."""
_POOL_INSTALLERS = {"process": INSTALLERS[_POOLS], "kubernetes": "windtunnel.engines.prefect.kubernetes_pool"}
"""The modules that make a work pool ready, by its type."""


@app.command(
    epilog="Examples: PREFECT_API_URL=http://127.0.0.1:4200/api windtunnel install prefect · "
    "windtunnel install prefect --pool-type kubernetes --api-url-for-pods http://prefect-server:4200/api · "
    "windtunnel install kubernetes --print | kubectl apply -f - · windtunnel install argo --namespace bench"
)
def install(
    platform: Annotated[str, typer.Argument(help=f"Where to: {', '.join(INSTALLERS)}.", show_default=False)],
    store: FolderOption = DEFAULT_STORE,
    namespace: Annotated[
        str | None, typer.Option(help="In a cluster: the namespace; else the context's own.", show_default=False)
    ] = None,
    pool_type: Annotated[
        str | None, typer.Option(help="prefect: of the work pool, process or kubernetes.", show_default="process")
    ] = None,
    api_url_for_pods: Annotated[
        str | None,
        typer.Option(help="A pool on Kubernetes: Prefect's API as pods see it; else PREFECT_API_URL.", metavar="URL"),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(help="A pool on Kubernetes: Windtunnel's image; else what WINDTUNNEL_RUNNER_IMAGE names."),
    ] = None,
    start_seconds: Annotated[
        int | None,
        typer.Option(
            help="A pool on Kubernetes: how long a flow run's pod may take to start.",
            min=1,
            show_default=str(START_SECONDS),
        ),
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="In a cluster: print the manifests, apply nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="A pool on Kubernetes: print all that would be made, make nothing.")
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option(
            help="A pool on Kubernetes: print the manifest of a Prefect server, or of a worker, make nothing.",
            metavar="server|worker",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make what a platform needs once; again changes nothing that somebody else has set."""
    pool = PoolOptions(api_url_for_pods, image, start_seconds or START_SECONDS)
    installer = _find_installer(platform, pool_type)
    if pool_type != "kubernetes" and (dry_run or manifest or pool != PoolOptions()):
        raise UsageError(
            "--api-url-for-pods, --image, --start-seconds, --dry-run and --manifest go with"
            " install prefect --pool-type kubernetes"
        )
    if manifest:
        _print_manifest(manifest, pool)
        return
    options = InstallOptions(store, namespace, pool)
    if only_print:
        print_json({"apiVersion": "v1", "kind": "List", "items": installer.as_manifests(options)})
        return
    if dry_run:
        _print_all(options, as_json=as_json)
        return
    installed = installer.install(options)
    if as_json:
        place = {"namespace": installed.namespace} if installed.namespace else {}
        print_json({"platform": platform, **place, "installed": list(installed.lines)})
        return
    for line in (*installed.lines, *installed.hints):
        echo(line)


def _print_all(options: InstallOptions, *, as_json: bool) -> None:
    from windtunnel.engines.prefect.kubernetes_pool import preview

    everything = preview(options)
    if as_json:
        print_json(everything)
        return
    from windtunnel.yaml_documents import to_yaml

    echo(to_yaml(everything).rstrip())


def _print_manifest(name: str, pool: PoolOptions) -> None:
    from windtunnel.engines.prefect.manifests import NAMES, manifest

    if name not in NAMES:
        raise UsageError(f"--manifest {name}: there is none{suggest(name, NAMES)} (known: {', '.join(NAMES)})")
    echo(manifest(name, pool).rstrip())


def _find_installer(name: str, pool_type: str | None) -> Installer:
    """Return what makes a platform ready, or a work pool of a type on it.

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
    else:
        _require_backend(name)
    if pool_type is None:
        return cast("Installer", import_module(INSTALLERS[name]))
    if name != _POOLS:
        raise UsageError(f"--pool-type goes with {_POOLS}; {name} has no work pools")
    if pool_type not in _POOL_INSTALLERS:
        known = ", ".join(_POOL_INSTALLERS)
        raise UsageError(
            f"--pool-type {pool_type}: no such type{suggest(pool_type, _POOL_INSTALLERS)} (known: {known})"
        )
    if pool_type in BACKENDS:
        _require_backend(pool_type)
    return cast("Installer", import_module(_POOL_INSTALLERS[pool_type]))


def _require_backend(name: str) -> None:
    if reason := missing_extra(name, BACKENDS[name].needs):
        raise PlatformError(f"{name}: {reason}", code="backend_unavailable")

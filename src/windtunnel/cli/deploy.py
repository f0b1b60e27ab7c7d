"""Commands that put benchmarks on a server: deploy, install."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.app import app
from windtunnel.cli.descriptor import FileArgument, RepeatsOption, SetOption, load_with_notes, with_repeats
from windtunnel.cli.output import echo, print_json
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption
from windtunnel.errors import PlatformError, UsageError


class Platform(StrEnum):
    """Platforms that `install` knows."""

    ARGO = "argo"
    KUBERNETES = "kubernetes"
    PREFECT = "prefect"


@app.command(
    epilog="Examples: windtunnel deploy redis.toml · "
    "windtunnel deploy redis.toml --queue big-machine --set run.schedule='0 3 * * *'"
)
def deploy(
    file: FileArgument,
    pool: Annotated[str, typer.Option(help="The work pool that runs it.")] = "windtunnel",
    queue: Annotated[str | None, typer.Option(help="A work queue of that pool; else its default one.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where runs start, as the worker sees it; else the current folder.")
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
    from windtunnel.engines.prefect.deploy import Target
    from windtunnel.engines.prefect.deploy import deploy as deploy_benchmark

    deployed = deploy_benchmark(loaded, plan, Target(pool, queue, folder or Path.cwd()), strict=strict)
    if as_json:
        print_json(asdict(deployed))
        return
    echo(f"deployed {deployed.name} to the work pool {deployed.pool}, queue {deployed.queue or 'default'}")
    if deployed.schedule:
        echo(f"runs by itself at {deployed.schedule!r} {deployed.timezone}, next at {deployed.next_run}")
    echo(f"keeps runs in {deployed.store}")
    if deployed.url:
        echo(f"look at it: {deployed.url}")
    echo(f"run it now: prefect deployment run {deployed.name}")
    echo(f"a worker:   {_worker(deployed.pool, deployed.queue)}")


def _worker(pool: str, queue: str | None) -> str:
    # Without a queue's name a worker takes the runs of all of the pool's queues.
    return f"prefect worker start --pool {pool} --work-queue {queue or 'default'} --limit 1"


@app.command(
    epilog="Examples: PREFECT_API_URL=http://127.0.0.1:4200/api windtunnel install prefect · "
    "windtunnel install kubernetes --print | kubectl apply -f - · windtunnel install argo --namespace bench"
)
def install(
    platform: Annotated[Platform, typer.Argument(help="Where to.", show_default=False)],
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
    from windtunnel.engines import require_engine

    if platform is not Platform.KUBERNETES:
        require_engine(platform.value)
    if platform is not Platform.PREFECT:
        _install_in_cluster(platform, namespace, only_print=only_print, as_json=as_json)
        return
    if namespace or only_print:
        raise UsageError("--namespace and --print go with kubernetes and argo")
    from windtunnel.engines.prefect.install import install as install_prefect

    lines = install_prefect(store)
    if as_json:
        print_json({"platform": platform.value, "installed": lines})
        return
    for line in lines:
        echo(line)
    echo(f"workers: {_worker('windtunnel', None)}")
    echo("         prefect worker start --pool windtunnel-janitor")


def _install_in_cluster(platform: Platform, namespace: str | None, *, only_print: bool, as_json: bool) -> None:
    from windtunnel.backends import make_backend

    reason = make_backend("kubernetes").available()
    if reason and not (only_print and namespace):
        raise PlatformError(f"kubernetes: {reason}", code="backend_unavailable")
    from windtunnel.backends.kubernetes import install as kubernetes

    manifests, apply, next_step = kubernetes.manifests, kubernetes.install, "windtunnel run FILE --backend kubernetes"
    if platform is Platform.ARGO:
        from windtunnel.engines.argo import install as argo

        manifests, apply, next_step = argo.manifests, argo.install, "windtunnel submit FILE --wait"
    if only_print:
        print_json({"apiVersion": "v1", "kind": "List", "items": manifests(kubernetes.namespace(namespace))})
        return
    target, lines = apply(namespace)
    if as_json:
        print_json({"platform": platform.value, "namespace": target, "installed": lines})
        return
    for line in lines:
        echo(line)
    echo(f"namespace {target} is ready: {next_step}")

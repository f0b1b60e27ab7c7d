"""The command that puts a benchmark on a server: deploy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.app import app
from windtunnel.cli.descriptor import FileArgument, RepeatsOption, SetOption, load_with_notes, with_repeats
from windtunnel.cli.output import echo, print_json
from windtunnel.cli.results import JsonOption


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

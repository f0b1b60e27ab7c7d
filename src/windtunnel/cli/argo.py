"""Commands for Argo Workflows: render, submit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from windtunnel.cli.app import app
from windtunnel.cli.descriptor import FileArgument, RepeatsOption, SetOption, load_sweep, with_repeats
from windtunnel.cli.output import echo, print_data, print_err, print_json, print_log_tail
from windtunnel.cli.results import JsonOption
from windtunnel.cli.showing import print_record, print_sweep, sweep_as_json
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.benchmark import Loaded
    from windtunnel.engines.argo.build import Submission
    from windtunnel.engines.argo.follow import Follower

StrictOption = Annotated[bool, typer.Option("--strict", help="A suspect result is a failure.")]
ImageOption = Annotated[
    str | None, typer.Option(help="Windtunnel's own image; else $WINDTUNNEL_RUNNER_IMAGE, else windtunnel.")
]


@app.command(
    epilog="Examples: windtunnel render redis.toml --set output.store=s3://results/redis | kubectl create -f - · "
    "windtunnel render redis.toml --set output.store=pvc://results/redis --json | jq .spec.templates"
)
def render(
    file: FileArgument,
    overrides: SetOption = None,
    repeats: RepeatsOption = None,
    strict: StrictOption = False,
    image: ImageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a benchmark's Argo workflow, or its CronWorkflow if it has a schedule; nothing is submitted.

    What it needs of this machine, files that are inputs, is printed before it, as a ConfigMap.
    """
    loaded, submission = _make(file, with_repeats(overrides, repeats), strict=strict, image=image, fetch=False)
    if submission.carrier and submission.carrier.is_secret:
        strategy = loaded.benchmark.benchmark.strategy
        raise UsageError(
            f"{file}: it or a file that is its input has secrets, which would be printed."
            " Use `windtunnel submit`, which puts them into a Secret;"
            f" or `kubectl create secret generic NAME --from-file=benchmark.toml={file}` and"
            f" `argo submit --from workflowtemplate/{strategy} -p benchmark=secret/NAME`"
        )
    documents = submission.documents
    if as_json:
        print_json(documents[0] if len(documents) == 1 else {"apiVersion": "v1", "kind": "List", "items": documents})
        return
    from windtunnel.yaml_documents import to_yaml

    print_data("\n---\n".join(to_yaml(each).rstrip() for each in documents))


@app.command(
    epilog="Examples: windtunnel submit redis.toml --wait · "
    "windtunnel submit redis.toml --set output.store=s3://results/redis --namespace bench"
)
def submit(
    file: FileArgument,
    overrides: SetOption = None,
    repeats: RepeatsOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, fetch the run, show its result.")] = False,
    namespace: Annotated[str | None, typer.Option(help="The namespace; else the context's own.")] = None,
    strict: StrictOption = False,
    image: ImageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit a benchmark to Argo Workflows; one with a schedule becomes a CronWorkflow."""
    from windtunnel.addresses import parse_store

    loaded, submission = _make(file, with_repeats(overrides, repeats), strict=strict, image=image, fetch=wait)
    is_sweep = bool(loaded.combination)
    from windtunnel.backends.kubernetes.install import require_cluster
    from windtunnel.engines.argo.follow import Follower
    from windtunnel.engines.argo.submit import submit as create
    from windtunnel.run.control import Control

    cluster = require_cluster(namespace)
    name = create(cluster, submission)
    manifest = submission.made
    kind = manifest["kind"]
    if wait and kind == "Workflow":
        print_err(f"submitted {name} to namespace {cluster.namespace}")
        store = parse_store(loaded.benchmark.output.store)
        folder = store if isinstance(store, Path) else Path("runs")
        follower = Follower(cluster, name, folder, print_err, Control(float("inf")))
        if is_sweep:
            _follow_sweep(follower, submission.runs, as_json=as_json)
        _follow(follower, as_json=as_json)
        return
    if as_json:
        print_json({"kind": kind, "name": name, "namespace": cluster.namespace})
        return
    echo(f"submitted {kind} {name} to namespace {cluster.namespace}")
    if kind == "Workflow":
        echo(f"look at it: argo get --namespace {cluster.namespace} {name}")
    else:
        spec = manifest["spec"]
        echo(f"runs by itself at {spec['schedules'][0]!r} {spec['timezone']}")
        echo(f"run it now: argo submit --namespace {cluster.namespace} --from cronwf/{name}")


def _make(
    file: Path, overrides: list[str], *, strict: bool, image: str | None, fetch: bool
) -> tuple[Loaded, Submission]:
    from windtunnel.engines import require_engine

    sweep = load_sweep(file, overrides)
    loaded, _plan = sweep[0]
    require_engine("argo")
    from windtunnel.backends.kubernetes.settings import runner_image
    from windtunnel.engines.argo.build import build_sweep

    # Nobody waits for what a schedule starts.
    is_fetched = fetch and not loaded.benchmark.run.schedule
    options = {"strict": str(strict).lower(), "fetch": str(is_fetched).lower(), "image": image or runner_image()}
    return loaded, build_sweep(sweep, overrides, options=options)


def _follow_sweep(follower: Follower, runs: int, *, as_json: bool) -> NoReturn:
    from windtunnel.engines.interrupts import signals_cancel

    with signals_cancel(follower.control):
        records, code = follower.follow_sweep()
    for record in records:
        if record.cause:
            print_log_tail(record.cause.step, record.cause.log_tail)
        if not as_json:
            print_record(record)
    if as_json:
        print_json(sweep_as_json(records))
    else:
        print_sweep(records, runs)
    raise typer.Exit(code)


def _follow(follower: Follower, *, as_json: bool) -> None:
    from windtunnel.engines.interrupts import signals_cancel

    with signals_cancel(follower.control):
        record = follower.follow()
    if record.cause:
        print_log_tail(record.cause.step, record.cause.log_tail)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        print_record(record)
    raise typer.Exit(record.exit_code or 0)

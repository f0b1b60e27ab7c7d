"""Commands for authors of benchmarks: init, validate, schema, plan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.backends import BACKENDS
from windtunnel.cli.app import app
from windtunnel.cli.output import echo, print_err, print_json
from windtunnel.errors import UsageError
from windtunnel.strategies import STRATEGIES
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.benchmark import Loaded
    from windtunnel.plan import Plan, Step
    from windtunnel.secrets import Redaction

FileArgument = Annotated[Path, typer.Argument(help="The benchmark, a TOML file.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override any key, such as run.repeats=5. May be repeated."),
]
RepeatsOption = Annotated[int | None, typer.Option(min=1, help="Short for --set run.repeats=N.")]


class PlanFormat(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"


def load_with_notes(file: Path, overrides: list[str] | None) -> tuple[Loaded, Plan]:
    """Return the checked benchmark and its plan; tell what was translated.

    Raises:
        DescriptorError: The file is wrong, or has a matrix.
        PlanError: Its steps do not fit together.
    """
    from windtunnel.benchmark import require_single

    sweep = load_sweep(file, overrides)
    require_single([loaded for loaded, _plan in sweep])
    return sweep[0]


def load_sweep(file: Path, overrides: list[str] | None) -> list[tuple[Loaded, Plan]]:
    """Do what `load_with_notes` does for every combination of a matrix; without one there is one (same errors)."""
    # pydantic looks through all that is installed for plugins of its own, unless told not to.
    with _environment(PYDANTIC_DISABLE_PLUGINS="1"):
        from windtunnel.benchmark import load_all
        from windtunnel.strategies import make_plan

        benchmarks = load_all(file, overrides or [])
    for note in dict.fromkeys(note for loaded in benchmarks for note in loaded.notes):
        print_err(f"note: {file}: {note}", "yellow")
    return [(loaded, make_plan(loaded.benchmark)) for loaded in benchmarks]


def with_repeats(overrides: list[str] | None, repeats: int | None) -> list[str]:
    """Return the overrides with what ``--repeats`` says as the last of them."""
    return [*(overrides or []), *([] if repeats is None else [f"run.repeats={repeats}"])]


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables that this process alone is to see: what it starts does not inherit them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@app.command(epilog="Example: windtunnel init client-server")
def init(
    strategy: Annotated[str, typer.Argument(help=f"{' or '.join(STRATEGIES)}.", show_default=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it.")] = None,
) -> None:
    """Write a sample benchmark that runs as it is."""
    from windtunnel.content import sample

    if strategy not in STRATEGIES:
        raise UsageError(f"no strategy {strategy!r}{suggest(strategy, STRATEGIES)} (known: {', '.join(STRATEGIES)})")
    path = output or Path(f"{strategy}.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(sample(strategy))
    except FileExistsError:
        raise UsageError(f"{path} exists already; name another with --output") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    print_err(f"wrote {path}; next: windtunnel run {path}")


@app.command(epilog="Example: windtunnel validate redis.toml --set run.repeats=5")
def validate(file: FileArgument, overrides: SetOption = None) -> None:
    """Check a benchmark file; nothing is started."""
    sweep = load_sweep(file, overrides)
    _loaded, plan = sweep[0]
    runs = f", {len(sweep)} runs" if len(sweep) > 1 else ""
    echo(f"{file}: valid, {plan.strategy}, {len(plan.steps)} step{'s' * (len(plan.steps) != 1)}{runs}")


@app.command(epilog="Example: windtunnel schema > windtunnel.schema.json")
def schema() -> None:
    """Print the JSON Schema of benchmark files, for editors."""
    from windtunnel.benchmark import json_schema

    print_json(json_schema())


@app.command(
    "plan",
    epilog="Examples: windtunnel plan redis.toml --json · "
    "windtunnel plan redis.toml --backend kubernetes | kubectl apply --dry-run=server -f -",
)
def show_plan(
    file: FileArgument,
    backend: Annotated[
        str | None, typer.Option(help=f"Show what would be made on {', '.join(BACKENDS)}; the platform is not asked.")
    ] = None,
    format_: Annotated[PlanFormat, typer.Option("--format", help="text or json.")] = PlanFormat.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    overrides: SetOption = None,
) -> None:
    """Show what a benchmark would do, and what would be made for it; nothing is started."""
    from windtunnel.benchmark import describe_values

    sweep = load_sweep(file, overrides)
    is_sweep = bool(sweep[0][0].combination)
    is_json = as_json or format_ is PlanFormat.JSON
    if backend:
        from windtunnel.cli.preview import print_previews

        print_previews(sweep, backend, as_json=is_json)
        return
    if is_json:
        plans = [
            {"values": loaded.redaction.values(loaded.combination), "plan": loaded.redaction.document(plan.to_json())}
            for loaded, plan in sweep
        ]
        print_json({"runs": plans} if is_sweep else plans[0]["plan"])
        return
    for number, (loaded, plan) in enumerate(sweep, start=1):
        if is_sweep:
            echo(f"run {number} of {len(sweep)}: {describe_values(loaded.redaction.values(loaded.combination))}")
        echo("\n".join(_plan_lines(plan, loaded.redaction)))


def _plan_lines(plan: Plan, redaction: Redaction) -> Iterator[str]:
    """Yield a plan as an indented tree; plain, since rich would double this command's time."""
    yield f"{plan.benchmark} ({plan.strategy}), at most {plan.timeout:g} s"
    if plan.target:
        yield f"  alone on target {plan.target.name}, waits at most {plan.target.within:g} s for its turn"
    for item in plan.inputs:
        yield f"  input {item.path} from {redaction.text(item.src)}"
    for step in plan.order():
        kind = type(step).__name__.lower()
        needs = f" after {', '.join(step.needs)}" if step.needs else ""
        yield f"  {kind} {step.name}{needs}"
        yield from (f"    {line}" for line in _describe(step, redaction))


def _describe(step: Step, redaction: Redaction) -> list[str]:
    from windtunnel.plan import Gang, Service

    def line(command: Sequence[str]) -> str:
        return " ".join(redaction.document(command, ("command",)))

    lines = [f"run {line(step.program.command)}"]
    if isinstance(step, Gang):
        place = {"spread": ", on a node each", "packed": ", all on one node"}.get(step.placement, "")
        lines.append(f"{step.replicas} workers at once, of {step.slots} slots each{place}")
        wait = f", tried for {step.wait:g} s" if step.wait else ""
        lines.append(f"placed all or none{wait}")
    if isinstance(step, Service):
        probe = step.ready.probe
        target = line(probe.command) or redaction.text(probe.target)
        lines.append(f"ready when {probe.kind} {target}".rstrip() + f", within {step.ready.within:g} s")
        if step.live:
            lines.append(f"alive by {step.live.probe.kind}, every {step.live.every:g} s")
        lines.append(f"stop with {line(step.stop) if step.stop else 'SIGTERM'}, SIGKILL after {step.grace:g} s")
    else:
        if step.launcher:
            lines.append(f"started by {step.launcher.implementation} as {step.launcher.ranks} ranks")
        if step.size:
            is_one = step.size == 1
            lines.append("one member, with rank 0" if is_one else f"{step.size} members at once, each with a rank")
        fresh = ", each with fresh services" if step.fresh else ""
        lines.append(f"{step.warmup} warm-up + {step.repeats} measured iterations{fresh}")
        names = [metric.name or f"all that {metric.parser} gives" for metric in step.metrics]
        lines.append(f"measures {', '.join(names) or 'what it writes to $WINDTUNNEL_METRICS'}")
    return lines

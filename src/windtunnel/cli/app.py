"""The command line: the application, and how errors become messages and exit codes."""

from __future__ import annotations

import io
import sys
import traceback
from itertools import pairwise
from typing import Annotated, Any

import typer

from windtunnel.cli.output import echo, print_error, print_json
from windtunnel.errors import ExitCode, UsageError, WindtunnelError

app = typer.Typer(
    name="windtunnel",
    help="Run benchmarks as workflows, and get numbers that can be trusted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: windtunnel init client-server && windtunnel run client-server.toml",
)


def _print_version(value: bool) -> None:  # noqa: FBT001 - a flag's callback
    if value:
        from importlib.metadata import version

        echo(f"windtunnel {version('windtunnel')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run benchmarks as workflows, and get numbers that can be trusted."""


def _print_refusal(error: WindtunnelError, words: list[str]) -> None:
    """Print the object that ``run --json`` owes for a run that was refused: it has no id."""
    if words[:1] != ["run"] or "--json" not in words:
        return
    from windtunnel.run.record import Cause, RunRecord

    cause = Cause(code=error.code, step=error.step, message=error.message)
    options = dict(pairwise(words))
    record = RunRecord(
        run_id=None,
        benchmark=None,
        strategy=None,
        engine=options.get("--engine", "inline"),
        backend=options.get("--backend", "process"),
        status="cancelled" if error.exit_code == ExitCode.CANCELLED else "failed",
        exit_code=int(error.exit_code),
        cause=cause,
    )
    print_json(record.model_dump(mode="json"))


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; ends the process with the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=arguments)
    except WindtunnelError as error:
        _print_refusal(error, words)
        print_error(error)
        sys.exit(int(error.exit_code))
    except SystemExit as stop:
        # typer has told a wrong option already, for people; of its UsageError it exports only children.
        if isinstance(stop.__context__, typer.BadParameter.__mro__[1]):
            _print_refusal(UsageError(str(stop.__context__)), words)
        raise
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.CANCELLED))
    except Exception:  # noqa: BLE001 - the last resort: a bug of ours, told as one
        traceback.print_exc()
        sys.exit(int(ExitCode.BUG))

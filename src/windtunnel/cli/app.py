"""The command line: the application, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, Any

import typer

from windtunnel.cli.output import print_error
from windtunnel.errors import ExitCode, WindtunnelError

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

        typer.echo(f"windtunnel {version('windtunnel')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run benchmarks as workflows, and get numbers that can be trusted."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; ends the process with the documented exit codes."""
    try:
        app(args=arguments)
    except WindtunnelError as error:
        print_error(error)
        sys.exit(int(error.exit_code))
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.CANCELLED))
    except Exception:  # noqa: BLE001 - the last resort: a bug of ours, told as one
        traceback.print_exc()
        sys.exit(int(ExitCode.BUG))

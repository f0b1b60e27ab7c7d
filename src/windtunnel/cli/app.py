"""The command line: the application, and how errors become messages and exit codes."""

from __future__ import annotations

import errno
import io
import sys
from functools import cache
from typing import Annotated, Any

import typer

from windtunnel.cli.output import STDOUT, echo, print_error, print_json, print_traceback
from windtunnel.errors import Cancelled, ExitCode, PlatformError, UsageError, WindtunnelError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF}
# Typer exports only children of its UsageError.
_WRONG_CALL = typer.BadParameter.__bases__

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


def _print_refusal(error: WindtunnelError, arguments: list[str]) -> None:
    """Print the object that ``run --json`` owes for a run that did not begin: it has no id."""
    options = _run_options(arguments) if arguments[:1] == ["run"] else {}
    if not options.get("as_json") or STDOUT.is_used:
        return
    from windtunnel.run.record import Cause, RunRecord

    cause = Cause(code=error.code, step=error.step, message=error.message)
    record = RunRecord(
        run_id=None,
        benchmark=None,
        strategy=None,
        engine=options["engine"],
        backend=options["backend"],
        status="cancelled" if error.exit_code == ExitCode.CANCELLED else "failed",
        exit_code=int(error.exit_code),
        cause=cause,
    )
    print_json(record.model_dump(mode="json"))


def _run_options(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a call of ``run`` by parameter, also where another one of them is wrong."""
    run = vars(_command())["commands"]["run"]
    context = run.make_context("run", arguments[1:], resilient_parsing=True, ignore_unknown_options=True)
    return dict(context.params)


@cache
def _command() -> Any:
    """Return what Typer makes of the application, which takes as long as many a command.

    Typer does not export the class of a command that has commands.
    """
    return typer.main.get_command(app)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; ends the process with the documented exit codes."""
    STDOUT.open()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = _call(sys.argv[1:] if arguments is None else arguments)
    if STDOUT.problem:
        print_error(PlatformError(f"standard output cannot be written: {STDOUT.problem}", code="output_failed"))
        code = code or int(ExitCode.PLATFORM)
    sys.exit(code)


def _call(arguments: list[str]) -> int:
    """Run a command and return its exit code; what went wrong has been told."""
    try:
        _command()(args=arguments)
    except WindtunnelError as error:
        from windtunnel.secrets import Redaction

        Redaction().error(error)
        _print_refusal(error, arguments)
        print_error(error)
        return int(error.exit_code)
    except SystemExit as stop:
        return _code_of(stop, arguments)
    except KeyboardInterrupt:
        return int(ExitCode.CANCELLED)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            print_traceback()
            return int(ExitCode.BUG)
        STDOUT.lose(error)
    except Exception:  # noqa: BLE001 - the last resort: a bug of ours, told as one
        print_traceback()
        return int(ExitCode.BUG)
    return 0


def _code_of(stop: SystemExit, arguments: list[str]) -> int:
    """Return the exit code that Typer ends with; print the object that is owed where it ends a run before it begins."""
    context = stop.__context__
    if isinstance(context, _WRONG_CALL):  # which Typer has told already, for people
        _print_refusal(UsageError(str(context)), arguments)
    elif context and isinstance(context.__cause__, KeyboardInterrupt):
        _print_refusal(Cancelled("cancelled before the run began"), arguments)
    return stop.code if isinstance(stop.code, int) else int(bool(stop.code))

"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import select
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from windtunnel.errors import WindtunnelError
from windtunnel.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


VERDICT_STYLE = {"valid": "green", "suspect": "yellow", "invalid": "red"}
PIPED_WIDTH = 160
STATUS_STYLE = {"succeeded": "green", "running": "cyan"}
STALLED_SECONDS = 1.0
"""How long standard error may take no more before what is told there is passed over."""


class Stdout:
    """The state of standard output. A command goes on without it, and `main` tells at the end.

    Attributes:
        is_used: Whether something was printed on it.
        problem: Why it cannot be written, if so; a reader that went away (head, less) is no problem.
    """

    def __init__(self) -> None:
        self.is_used = False
        self.problem: str | None = None

    def open(self) -> None:
        """Begin a command: take the places of standard streams that are closed, so that no file of a run gets them."""
        self.is_used, self.problem = False, None
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                # Nothing can be written to 1, which is what its reader has to be told.
                os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)  # noqa: PLR2004 - standard error
        sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")

    def lose(self, error: OSError) -> None:
        """Go on without standard output, which cannot be written."""
        if not isinstance(error, BrokenPipeError):
            self.problem = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
        _discard(sys.stdout)


def _discard(stream: IO[str]) -> None:
    """Let what is written to a stream go nowhere; what is still buffered would fail again when Python ends."""
    with contextlib.suppress(io.UnsupportedOperation):  # a test's stream is no file of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


STDOUT = Stdout()


class Reader:
    """The reader of a stream: one who has stopped reading would hold a run for good, and its end too."""

    def __init__(self) -> None:
        self._is_stalled = False

    def takes_more(self, stream: IO[str]) -> bool:
        """Tell whether something can be written at once, or within `STALLED_SECONDS` of the first time it cannot."""
        try:
            seconds = 0 if self._is_stalled else STALLED_SECONDS
            self._is_stalled = not select.select([], [stream], [], seconds)[1]
        except (OSError, ValueError):
            return True  # no file of the system's, or one of which writing tells what is wrong
        return not self._is_stalled


_STDERR_READER = Reader()


def is_stalled() -> bool:
    """Tell whether standard error takes no more, such as a terminal that somebody has stopped (Ctrl-S)."""
    return not _STDERR_READER.takes_more(console(stderr=True).file)


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console of standard output or error; plain text when it is piped."""
    from rich.console import Console

    class Tolerant(Console):
        def on_broken_pipe(self) -> None:
            """Go on without a reader; rich would end the process, and a measurement with it."""
            self._lose(BrokenPipeError())

        def print(self, *objects: Any, **options: Any) -> None:
            """Print, or go on without a file that takes no more, and without a reader who has stopped reading."""
            if self.stderr and not _STDERR_READER.takes_more(self.file):
                return
            STDOUT.is_used = STDOUT.is_used or not self.stderr
            try:
                super().print(*objects, **options)
            except OSError as error:
                self._lose(error)

        def render_str(self, text: str, **options: Any) -> Text:
            """Return what is shown of a text, which may be another program's: nothing that acts on the terminal."""
            return super().render_str(printable(text), **options)

        def _lose(self, error: OSError) -> None:
            self.quiet = True
            if self.stderr:
                _discard(self.file)
            else:
                STDOUT.lose(error)

    out = Tolerant(file=_terminal() if stderr else None, stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    return out


def _terminal() -> IO[str] | None:
    """Return a file of its own for the terminal of standard error, if it is one.

    A thread that is stuck in writing there holds the lock of its file, for which Python would wait at its end.
    """
    if not sys.stderr.isatty():
        return None
    return open(sys.stderr.fileno(), "w", encoding=sys.stderr.encoding, errors="replace", closefd=False)


def print_err(text: str, style: str | None = None) -> None:
    """Tell a person something, on standard error."""
    console(stderr=True).print(text, style=style, markup=False)


def print_error(error: WindtunnelError) -> None:
    """Tell what went wrong, with the step's last lines if there are any."""
    err = console(stderr=True)
    err.print("[bold red]error:[/] ", end="")
    err.print(error.message, markup=False)
    print_log_tail(error.step, error.log_tail)


def print_traceback() -> None:
    """Show where the exception that is being handled comes from."""
    from windtunnel.secrets import Redaction

    # What Python's own errors and other libraries' say was not looked at by anybody.
    print_err(Redaction.of_variables(os.environ).text(traceback.format_exc().rstrip()))


def print_log_tail(step: str | None, lines: Sequence[str]) -> None:
    """Show a step's last lines, on standard error."""
    if lines:
        print_err(f"last lines of {step}:" if step else "last lines:", style="dim")
        for line in lines:
            print_err(f"  | {line}", style="dim")


def echo(text: str) -> None:
    """Print lines for a person, on standard output."""
    print_data(printable(text))


def print_data(text: str) -> None:
    """Print text for a machine as it is, on standard output."""
    STDOUT.is_used = True
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        STDOUT.lose(error)


def print_json(data: Any) -> None:
    """Print data for a machine, on standard output."""
    print_data(json.dumps(data, indent=2))


def shorten(path: str | Path) -> str:
    """Return a path as a person would type it: relative, if it is below the current folder."""
    with contextlib.suppress(ValueError):
        return str(Path(path).absolute().relative_to(Path.cwd()))
    return str(path)

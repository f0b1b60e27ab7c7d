"""The error tree; every error knows its exit code and its cause.

WindtunnelError              70  a bug of ours unless a subclass says otherwise
├── DescriptorError           2  the benchmark file or an override is wrong
├── PlanError                 2  the plan cannot be run (cycle, unknown need, …)
├── Unsupported               2  this benchmark, engine and backend do not go together
├── UsageError                2  the call is wrong (no such run, file exists, …)
├── PlatformError             3  the platform could not run it
├── BenchmarkFailed           1  the benchmark's own command failed
├── TimedOut                  4  the run's deadline is over
├── InvalidResult             5  it ran, but the result is worth nothing
└── Cancelled               130  somebody asked to stop
"""

from __future__ import annotations

import traceback
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process's exit status means; a contract with scripts and CI."""

    OK = 0
    BENCHMARK_FAILED = 1
    BAD_INPUT = 2
    PLATFORM = 3
    TIMED_OUT = 4
    INVALID = 5
    WORSE = 6
    LEFT_BEHIND = 7
    UNKNOWN = 8
    BUG = 70
    CANCELLED = 130


class WindtunnelError(Exception):
    """Base of all errors: what went wrong, where, and what to do about it.

    Attributes:
        message: One or two sentences for a person.
        code: A stable word for machines, such as ``not_ready``.
        step: The step at fault, if one is.
        log_tail: The last lines that the step wrote, oldest first.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        step: str | None = None,
        log_tail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.step = step
        self.log_tail = log_tail


class DescriptorError(WindtunnelError):
    """The benchmark file or an override is wrong; nothing was started."""

    exit_code = ExitCode.BAD_INPUT
    default_code = "bad_descriptor"


class PlanError(WindtunnelError):
    """The plan's steps do not fit together; nothing was started."""

    exit_code = ExitCode.BAD_INPUT
    default_code = "bad_plan"


class Unsupported(WindtunnelError):
    """A benchmark asks for what this engine or backend cannot do; nothing was started."""

    exit_code = ExitCode.BAD_INPUT
    default_code = "unsupported"


class UsageError(WindtunnelError):
    """The call itself is wrong: no such run, a file that exists already."""

    exit_code = ExitCode.BAD_INPUT
    default_code = "bad_call"


class PlatformError(WindtunnelError):
    """The platform could not run a step: not found, not ready, port taken."""

    exit_code = ExitCode.PLATFORM
    default_code = "platform"


class BenchmarkFailed(WindtunnelError):
    """The measuring command ended with a failure of its own."""

    exit_code = ExitCode.BENCHMARK_FAILED
    default_code = "command_failed"


class TimedOut(WindtunnelError):
    """The run's deadline is over."""

    exit_code = ExitCode.TIMED_OUT
    default_code = "timed_out"


class InvalidResult(WindtunnelError):
    """The run came to its end or to a server's death, and its numbers mean nothing."""

    exit_code = ExitCode.INVALID
    default_code = "invalid"


class Cancelled(WindtunnelError):
    """Somebody asked the run to stop (Ctrl-C, SIGTERM, an engine's cancel)."""

    exit_code = ExitCode.CANCELLED
    default_code = "cancelled"


def as_error(error: BaseException) -> WindtunnelError:
    """Return an exception as an error: one that is not of this tree is a bug, with its traceback as last lines."""
    if isinstance(error, WindtunnelError):
        return error
    trace = tuple("".join(traceback.format_exception(error)).splitlines())
    return WindtunnelError(f"a bug of Windtunnel's: {type(error).__name__}: {error}", log_tail=trace)

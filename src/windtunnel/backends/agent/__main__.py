"""The one program of all that runs beside a run's steps, and of those who look after a run.

Run as ``python3 -m windtunnel.backends.agent PROGRAM …``, or by this file's path, in an
interpreter that has nothing installed. PROGRAM is a module below `windtunnel.backends`, such as
``agent.request_handlers``, whose `main` is called and returns the exit status, None for 0. A bug has one of
its own, so that those who look after the program can tell.
"""

from __future__ import annotations

import os
import sys


def lay_out(program: str) -> None:
    """Make the packages that a program is in, without what they begin with: that needs more than is installed."""
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    name = "windtunnel"
    for part in ("backends", *program.split(".")):
        package = type(sys)(name)
        package.__path__ = [folder]
        sys.modules[name] = package
        name, folder = f"{name}.{part}", os.path.join(folder, part)


def main() -> None:
    """Run the program that is named first, with the arguments that follow."""
    program = sys.argv.pop(1)
    if not __package__:
        lay_out(program)
    # Only now is it to be found.
    from windtunnel.backends.agent.protocol import BUG

    module = f"windtunnel.backends.{program}"
    try:
        __import__(module)
        status = sys.modules[module].main()
    except Exception:  # noqa: BLE001 - told as what it is
        sys.excepthook(*sys.exc_info())
        status = BUG
    sys.exit(status)


if __name__ == "__main__":
    main()

"""The one program of all that runs beside a run's steps, and of those who look after a run.

Run as ``python3 -m windtunnel.backends.agent PROGRAM …``, or by this file's path, in an
interpreter that has nothing installed. PROGRAM is a module below `windtunnel.backends`, such as
``agent.deeds``, whose `main` is called and returns the exit status, None for 0.
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
    module = f"windtunnel.backends.{program}"
    __import__(module)
    sys.exit(sys.modules[module].main())


if __name__ == "__main__":
    main()

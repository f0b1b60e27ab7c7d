"""The shell scripts of a gang, as they are in this package, and the folder where a step finds them."""

from __future__ import annotations

from pathlib import Path, PurePath

FOLDER = ".windtunnel"
"""Where launcher and members have their files, below the working folder."""
_SCRIPTS = Path(__file__).with_name("sh")


def script(name: str) -> str:
    """Return the text of a script, such as ``launch.sh``."""
    return (_SCRIPTS / name).read_text(encoding="utf-8")


def shell_argv(work: PurePath, name: str) -> list[str]:
    """Return the command that runs a script of a working folder; the script is told where it is."""
    folder = work / FOLDER
    return ["/bin/sh", str(folder / name), str(folder)]

"""Compiles the packages in .venv, or links what an earlier checkout compiled of the same ones.

To compile takes most of the time that a new .venv takes. Without it each program would compile what it imports.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
import sys
import sysconfig
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from cluster import places


def provide(packages: Path, kept: Path) -> None:
    """Compile the modules in a folder of packages, and keep what was compiled.

    What is kept already is taken first. It holds for a module that is as old as it was, and uv hands out the same files
    to each environment. Only the others are compiled.
    """
    link(kept, packages)
    # Returns false for templates, and for modules of newer versions of Python; nobody imports them.
    compileall.compile_dir(packages, quiet=2, workers=0)
    with places.locked("bytecode"):
        if not kept.exists():
            part = kept.with_name(f"{kept.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            link(packages, part)
            part.rename(kept)


def link(source: Path, target: Path) -> None:
    """Link the compiled files below one folder into another, or copy them where a link cannot be.

    Python replaces such a file and never changes it, so that one can be in many places.
    """
    for found in source.rglob("__pycache__/*.pyc"):
        place = target / found.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            continue
        try:
            place.hardlink_to(found)
        except OSError:
            shutil.copy2(found, place)


def key(lock: bytes) -> str:
    """Return what the compiled files depend on: the locked versions, and the bytecode of this Python."""
    return hashlib.sha256(lock + MAGIC_NUMBER + sys.version.encode()).hexdigest()[:12]


if __name__ == "__main__":
    lock = (places.CHECKOUT / "requirements.lock").read_bytes()
    provide(Path(sysconfig.get_path("purelib")), places.cache() / f"bytecode-{key(lock)}")

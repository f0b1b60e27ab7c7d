"""Folders for Prefect whose database has Prefect's tables already: to make them takes most of a server's start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from cluster import places


def fill(home: Path) -> None:
    """Make a folder of Prefect's, with an empty database."""
    shutil.copytree(_template(), home)


def own_server(home: Path) -> dict[str, str]:
    """Make a folder of Prefect's; return what has a run start a temporary server there."""
    fill(home)
    return {"PREFECT_HOME": str(home), "PREFECT_SERVER_EPHEMERAL_ENABLED": "true"}


def _template() -> Path:
    """Return the folder that is copied, made once for a version of Prefect."""
    name = f"prefect-{version('prefect')}"
    found = places.cache() / name
    with places.locked(name):
        if not found.exists():
            part = found.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            program = Path(sys.executable).parent / "prefect"
            subprocess.run(
                [program, "server", "database", "upgrade", "--yes"],
                env={k: v for k, v in os.environ.items() if not k.startswith("PREFECT")} | {"PREFECT_HOME": str(part)},
                check=True,
                capture_output=True,
                timeout=600,
            )
            part.rename(found)
    return found

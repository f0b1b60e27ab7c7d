"""In a pod of a step's image, run by the interpreter that is to have the packages: installs them when it is told to.

Run with the URL of the task and its token. The task is at the hub once the driver knows which image
this is, and that its cache lacks these packages: ``{"requirements": […], "settings": {…},
"certificates": "…"}``. The settings tell how pip reaches its index, and may have a password: so they
are in no object of the cluster.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from windtunnel.backends.agent.dial_out import fetch
from windtunnel.backends.agent.places import INSTALLED, PATH_FILE, PYTHON, RESULTS, SCRIPTS, WORK, arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OUT = RESULTS / "out"
PAUSE_SECONDS = 0.1


def wait_task(url: str, token: str) -> dict[str, Any]:
    """Return the task, whenever it comes."""
    target = WORK / "task.json"
    while True:
        try:
            if fetch(url, token, target):
                return dict(json.loads(target.read_text(encoding="utf-8")))
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(PAUSE_SECONDS)


def environment(task: dict[str, Any]) -> dict[str, str]:
    """Return what pip runs with: the image's variables and the task's settings, none that this program needs."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    found.update(task["settings"])
    if task["certificates"]:
        file = WORK / "certificates.pem"
        file.write_text(task["certificates"], encoding="ascii")
        found["PIP_CERT"] = str(file)
    return found


def main() -> int:
    """Do the task; return pip's exit status."""
    task = wait_task(*arguments())
    script = SCRIPTS / "windtunnel" / "backends" / "install_packages.py"
    command = [sys.executable, "-I", str(script), str(PYTHON), "add", *task["requirements"]]
    status = subprocess.call(command, env=environment(task))  # noqa: S603 - ours
    if status == 0:
        Path(OUT, PATH_FILE).write_text(os.environ["PATH"], encoding="utf-8")
        with tarfile.open(str(OUT / INSTALLED), "w:gz", compresslevel=1) as archive:
            archive.add(str(PYTHON), PYTHON.name)
    return status

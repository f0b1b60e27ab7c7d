"""In a pod of a step's image that stands by: becomes the command that the driver sends once it knows which.

Run with the URL of the command and its token. The command is at the hub once it is wanted: ``{"argv":
[…], "env": {…}, "files": {…}}``, with the contents of files in the working folder by their names.
"""

from __future__ import annotations

import http.client
import json
import os
import time

from windtunnel.backends.agent.dial_out import fetch
from windtunnel.backends.agent.places import WORK, arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PAUSE_SECONDS = 0.1


def wait_command(url: str, token: str) -> dict[str, Any]:
    """Return the command, whenever it comes."""
    target = WORK / "command.json"
    while True:
        try:
            if fetch(url, token, target):
                return dict(json.loads(target.read_text(encoding="utf-8")))
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    """Become the command, with the image's variables and its own, and none that this program needs."""
    command = wait_command(*arguments())
    for name, text in command["files"].items():
        (WORK / name).write_text(text, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env.update(command["env"])
    os.execvpe(command["argv"][0], command["argv"], env)  # noqa: S606 - the driver's

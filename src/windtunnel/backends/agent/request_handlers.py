"""The driver's hands where it is not: probes, files, and what steps wrote and used, as the driver asks for them.

It speaks as `protocol` says. A request may be sent again, after a lost connection: each does the
same the second time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from windtunnel.backends.agent.places import result_file, usage_file
from windtunnel.backends.agent.protocol import VERSION, send
from windtunnel.backends.network_probe import Answer, ask_http, ask_tcp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOOK_SECONDS = 0.02
STALLED_SECONDS = 3.0
"""After so long without a byte, what was on its way is given up."""


def probe(kind: str, host: str, port: int, target: str, timeout: float) -> dict[str, Any]:
    """Ask a server once."""
    answer: Answer = ask_http(host, port, target, timeout) if kind == "http" else ask_tcp(host, port, timeout)
    return vars(answer)


def wait_result(name: str, timeout: float) -> dict[str, Any]:
    """Wait for what a step wrote; its size is null if it did not come, but it may be on its way."""
    deadline = time.monotonic() + timeout
    path = result_file(name)
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    latest = time.time() - STALLED_SECONDS
    is_arriving = any(part.stat().st_mtime > latest for part in path.parent.glob(path.name + ".*"))
    return {"size": path.stat().st_size if path.is_file() else None, "is_arriving": is_arriving}


def read_result(name: str, offset: int, length: int) -> dict[str, Any]:
    """Return a piece of what a step wrote."""
    with result_file(name).open("rb") as file:
        file.seek(offset)
        return {"data": base64.b64encode(file.read(length)).decode("ascii")}


def read_usage(name: str, offset: int) -> dict[str, Any]:
    """Return the whole lines from an offset on, of what a pod uses, and what time it is here."""
    path, data = usage_file(name), b""
    if path.is_file():
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    return {"lines": data[: data.rfind(b"\n") + 1].decode("ascii"), "now": time.time()}


def look_file(path: str, size: int) -> dict[str, Any]:
    """Return the sum of a file, null if it is not there in this size; and of what has arrived of one, with its size."""
    whole, part = Path(path), _part(path)
    is_there = whole.is_file() and whole.stat().st_size == size
    return {
        "sha256": _digest(whole) if is_there else None,
        "part": part.stat().st_size if part.is_file() else 0,
        "part_sha256": _digest(part) if part.is_file() else None,
    }


def write_file(path: str, offset: int, data: str) -> dict[str, Any]:
    """Write a piece of a file that is not there before it is whole."""
    part = _part(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("r+b" if part.exists() else "wb") as file:
        file.seek(offset)
        file.write(base64.b64decode(data))
    return {}


def finish_file(path: str, size: int, sha256: str) -> dict[str, Any]:
    """Make a file available if it is what was sent."""
    whole, part = Path(path), _part(path)
    if part.exists():
        with part.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
        if _digest(part) == sha256:
            part.replace(whole)
            return {}
    # A request that came before may have done it.
    if not whole.is_file() or _digest(whole) != sha256:
        raise ValueError("it did not arrive as it was sent")
    return {}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _part(path: str) -> Path:
    whole = Path(path)
    return whole.with_name(f".{whole.name}.part")


DEEDS = {
    each.__name__: each for each in (probe, wait_result, read_result, read_usage, look_file, write_file, finish_file)
}


def serve(request: dict[str, Any]) -> None:
    """Do what a request says and answer it."""
    key = request.pop("id")
    try:
        answer = DEEDS[request.pop("do")](**request)
    except (OSError, ValueError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001 - told to the driver
        answer = {"error": f"{type(error).__name__}: {error}", "bug": traceback.format_exc().splitlines()}
    send({"id": key, **answer})


def main() -> None:
    """Serve until the end of standard input."""
    send({"hello": VERSION})
    for line in sys.stdin:
        threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()

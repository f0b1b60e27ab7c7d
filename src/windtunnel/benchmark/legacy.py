"""Tables that older systems wrote, translated into today's keys.

The ``[server]`` table is the one of the "Client-Server strategy" design document of the
Anubis project (docker_image, live_probe, ready_probe, start, stop, and the strategy as a
key of the file itself). Its probes name a port of their own, which is kept.
"""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlsplit

_LOCAL = {"localhost", "127.0.0.1", "::1", None}


def translate(document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the document in today's keys, and a note for each thing that was changed.

    Raises:
        ValueError: A legacy value has no meaning here; the text names its key.
    """
    notes: list[str] = []
    result = dict(document)
    info = result.get("benchmark", {})
    if isinstance(result.get("strategy"), str) and isinstance(info, dict):
        if "strategy" in info:
            msg = "strategy: it is given twice, as a key of the file and as benchmark.strategy; keep the second"
            raise ValueError(msg)
        info = info | {"strategy": result.pop("strategy")}
        result["benchmark"] = info
        notes.append("strategy: now benchmark.strategy")
    if isinstance(result.get("server"), dict):
        result["server"] = _translate_server(dict(result["server"]), notes)
    return result, notes


def _translate_server(server: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    if "docker_image" in server:
        server["image"] = server.pop("docker_image")
        notes.append("server.docker_image: now server.image")
    for old, new in (("ready_probe", "ready"), ("live_probe", "live")):
        if isinstance(server.get(old), str):
            server[new] = _translate_probe(f"server.{old}", server.pop(old))
            notes.append(f"server.{old}: now server.{new} = {_inline(server[new])}")
    for old, new in (("start", "command"), ("stop", "stop")):
        if isinstance(server.get(old), str):
            try:
                server[new] = shlex.split(server.pop(old))
            except ValueError as error:
                msg = f"server.{old}: {error}"
                raise ValueError(msg) from None
            notes.append(f"server.{old} as one string: now server.{new} = {server[new]}")
    return server


def _translate_probe(key: str, url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = f"{key}: {url!r}: {error}"
        raise ValueError(msg) from None
    if parts.scheme != "http" or parts.hostname not in _LOCAL:
        msg = f"{key}: {url!r} is not on the server itself; write http://localhost[:port]/path"
        raise ValueError(msg)
    path = parts.path or "/"
    probe: dict[str, Any] = {"http": f"{path}?{parts.query}" if parts.query else path}
    if port is not None:
        probe["port"] = port
    return probe


def _inline(table: dict[str, Any]) -> str:
    pairs = ", ".join(
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in table.items()
    )
    return f"{{ {pairs} }}"

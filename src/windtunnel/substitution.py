"""Windtunnel's own names in strings: ``$PORT``, ``$SERVER_HOST``, ``$$``; nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")

STEP_NAMES = frozenset({"WINDTUNNEL_WORK", "WINDTUNNEL_OUT", "WINDTUNNEL_METRICS", "ITERATION"})
"""Names that every step has."""
RANK_NAMES = frozenset({"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
"""Names that each member of a job has, if that has several: PyTorch's own (*torch.distributed*, "Environment variable
initialization")."""


def address_names(service: str) -> dict[str, str]:
    """Return the names under which a service's address is handed over, by kind.

    ``{"host": "SERVER_HOST", "port": "SERVER_PORT", "url": "SERVER_URL"}`` for ``server``.
    """
    prefix = service.upper().replace("-", "_")
    return {kind: f"{prefix}_{kind.upper()}" for kind in ("host", "port", "url")}


def gang_names(gang: str) -> dict[str, str]:
    """Return the names under which a launcher is handed a gang, by kind.

    ``{"hosts": "GANG_HOSTS", "hostfile": "GANG_HOSTFILE", "size": "GANG_SIZE"}`` for ``gang``.
    """
    prefix = gang.upper().replace("-", "_")
    return {kind: f"{prefix}_{kind.upper()}" for kind in ("hosts", "hostfile", "size")}


def references(text: str) -> set[str]:
    """Return every name that `text` mentions with a dollar, Windtunnel's or not."""
    names = (match["bare"] or match["braced"] for match in _REFERENCE.finditer(text))
    return {name for name in names if name}


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the names in `values` replaced and ``$$`` made a dollar."""

    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        return values.get(match["bare"] or match["braced"], match[0])

    return _REFERENCE.sub(replace, text)

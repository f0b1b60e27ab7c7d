"""Keys that the format has and this version cannot run: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from windtunnel.strategies import STRATEGIES

UNSUPPORTED_STRATEGIES = ("recipe", "dask")
_UNSUPPORTED_VALUES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "benchmark.strategy",
        UNSUPPORTED_STRATEGIES.__contains__,
        f"{', '.join(UNSUPPORTED_STRATEGIES)}: not yet; use {' or '.join(STRATEGIES)}",
    ),
    ("server.replicas", lambda value: isinstance(value, Mapping), "an autoscaler: not yet; give a number"),
)
_UNSUPPORTED_KEYS = (
    "run.until",
    "client.task",
    "server.task",
)


def find_unsupported(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the key path and the complaint of everything that cannot be run yet."""
    for key in _UNSUPPORTED_KEYS:
        for path, _value in _lookup(document, key):
            yield path, "not yet: this version cannot run it"
    for key, is_unsupported, complaint in _UNSUPPORTED_VALUES:
        yield from ((path, complaint) for path, value in _lookup(document, key) if is_unsupported(value))


def _lookup(document: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of `key`; ``server.x`` looks into each of the servers."""
    table, _, rest = key.partition(".")
    tables = {table: document.get(table)}
    servers = document.get("servers")
    if table == "server" and isinstance(servers, Mapping):
        tables |= {f"servers.{name}": server for name, server in servers.items()}
    for path, value in tables.items():
        if not rest:
            if value is not None:
                yield path, value
        elif isinstance(value, Mapping) and rest in value:
            yield f"{path}.{rest}", value[rest]

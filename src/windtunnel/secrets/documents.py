"""Where the secrets of a benchmark stand: in its tables, its matrix, its plan, and in a dotted key with its value."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from windtunnel.secrets.addresses import Span
from windtunnel.secrets.commands import find_in_command, find_in_line
from windtunnel.secrets.names import is_method, is_plainly_secret, is_secret
from windtunnel.secrets.texts import merged

Path = tuple[str, ...]
"""The keys that lead to a value, without the numbers of lists' items."""
Hide = Callable[[str, list[Span]], str]
"""Returns a text without what stands in the spans."""
COMMANDS = frozenset({"command", "exec", "stop"})
OURS = frozenset({"better", "isolation", "kind", "name", "needs", "parser", "placement", "reduce", "strategy"})
"""Keys whose values are words of Windtunnel's or names of the benchmark's: they are never secrets."""
MATRIX_OWN = ("include", "exclude", "zip")
"""Keys of a matrix that are none of a benchmark: combinations put in, those left out, and keys that vary together."""
_DOTTED = {("matrix",), ("values",), ("matrix", "include"), ("matrix", "exclude")}
_HUGE = 10_000
"""Bits of an integer."""
_FREE = frozenset({"env", "files", "labels"})
"""Tables whose keys are the user's own."""


def rewrite(value: Any, hide: Hide, whole: Callable[[str], Any], path: Path = ()) -> Any:
    """Return a document with its secrets rewritten.

    Args:
        value: The document, or a part of it.
        hide: Rewrites a text that has secrets in it.
        whole: Gives what stands for a value that is a secret as a whole.
        path: Where the part is.
    """
    if isinstance(value, Mapping):
        return {key: rewrite(item, hide, whole, below(path, str(key))) for key, item in value.items()}
    is_secret_value = is_secret_place(path) and not is_method(path[-1], value)
    if is_secret_value or (isinstance(value, str) and _is_secret_file(path, value)):
        return _all(value, whole)
    if isinstance(value, (list, tuple)):
        if path[-1:] and path[-1] in COMMANDS and all(isinstance(word, str) for word in value):
            return _rewrite_command(value, hide)
        return [rewrite(item, hide, whole, path) for item in value]
    if not isinstance(value, str) or is_ours(path):
        return value
    return hide(value, find_in_line(value))


def is_secret_place(path: Path) -> bool:
    """Tell whether what stands at a place of a document is a secret by the place's name."""
    if not path or "files" in path[:-1]:
        return False
    return is_secret(path[-1]) if path[-2:-1] == ("env",) else is_plainly_secret(path[-1])


def _is_secret_file(path: Path, content: str) -> bool:
    """Tell whether a file holds nothing but a secret, by its name and by what is in it."""
    is_one_word = len(content.split()) == 1 and not content.lstrip().startswith(("{", "["))
    return path[-2:-1] == ("files",) and is_one_word and is_plainly_secret(PurePath(path[-1]).stem)


def is_ours(path: Path) -> bool:
    """Tell whether a place of a document holds a word that is never a secret."""
    return bool(path) and path[-1] in OURS and not _FREE & set(path[-2:-1])


def key_path(key: str) -> Path:
    """Return the parts of a dotted TOML key, quoted ones too; nothing if it is none."""
    # A comment is no key, and neither are lines before one.
    if key.lstrip().startswith("#") or len(key.splitlines()) > 1:
        return ()
    try:
        table: object = tomllib.loads(f"{key} = 0")
    except (ValueError, RecursionError):
        return ()
    parts = []
    while isinstance(table, dict):
        (part,) = table
        parts.append(part)
        table = table[part]
    return tuple(parts)


def below(path: Path, key: str) -> Path:
    """Return the path of what a key leads to.

    A matrix has keys with dots: what is below such a key is what would be at that place.
    """
    is_own = path == ("matrix",) and key in MATRIX_OWN
    parts = key_path(key) if path in _DOTTED and not is_own else ()
    return parts or (*path, key)


def _all(value: Any, whole: Callable[[str], Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_all(item, whole) for item in value]
    if isinstance(value, bool) or value is None or value == "":
        return value
    # Python refuses to write an integer of thousands of digits in decimal.
    is_huge = isinstance(value, int) and value.bit_length() > _HUGE
    return whole(hex(value) if is_huge else str(value))


def _rewrite_command(command: Sequence[str], hide: Hide) -> list[str]:
    spans: dict[int, list[Span]] = {}
    for number, span in find_in_command(command):
        spans.setdefault(number, []).append(span)
    return [hide(word, merged(spans.get(number, []))) for number, word in enumerate(command)]

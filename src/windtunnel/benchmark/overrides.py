"""Changes of single keys in a benchmark's document: ``--set`` and the values of a matrix."""

from __future__ import annotations

import tomllib
from typing import Any

from windtunnel.errors import DescriptorError
from windtunnel.secrets import Redaction, key_path


def apply_override(document: dict[str, Any], override: str) -> None:
    """Change a document as ``key.path=value`` says; the value is TOML, or else plain text.

    Raises:
        DescriptorError: The override is not written so, or its path leads nowhere.
    """
    key, separator, raw = override.partition("=")
    parts = list(key_path(key.strip()))
    if not separator or not parts:
        raise DescriptorError(f"--set {Redaction().override(override)}: write it as key.path=value")
    # A variable's value is text: 1.10 is not 1.1 there.
    is_text = parts[-2:-1] == ["env"] and not raw.strip().startswith(("'", '"'))
    try:
        set_key(document, parts, raw.strip() if is_text else _toml_value(raw.strip()))
    except KeyError as error:
        shown = Redaction().override(override)
        raise DescriptorError(f"--set {shown}: {error.args[0]} is not a table") from None


def set_key(document: dict[str, Any], parts: list[str], value: object) -> None:
    """Set the value at a path; tables that are missing on the way are made.

    Raises:
        KeyError: Something on the way is no table; it names the path to the last part.
    """
    table: Any = document
    for part in parts[:-1]:
        table = table.setdefault(part, {}) if isinstance(table, dict) else _item(table, part)
        if table is None:
            break
    if isinstance(table, dict):
        table[parts[-1]] = value
    elif isinstance(table, list) and parts[-1].isdigit() and int(parts[-1]) < len(table):
        table[int(parts[-1])] = value
    else:
        raise KeyError(".".join(parts[:-1]))


def _item(table: object, part: str) -> object:
    if isinstance(table, list) and part.isdigit() and int(part) < len(table):
        return table[int(part)]
    return None


def _toml_value(raw: str) -> object:
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except (ValueError, RecursionError):
        return raw

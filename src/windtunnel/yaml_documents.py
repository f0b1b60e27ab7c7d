"""Objects as YAML that people read, and `kubectl` and `argo` take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_OTHERS = re.compile(r"[yYnN]|[-+]?\.?\d[\d_.]*([eE][-+]?\d+)?|[-+]?0[bBoOxX][\da-fA-F_]+")
"""What is text for PyYAML, and a truth value or a number for other readers, such as that of `kubectl`."""
_BREAKS = set("\x85\u2028\u2029")
"""Line breaks that PyYAML does not keep as they are where it writes them plainly."""


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, where YAML can."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """Return how a text is written; None is as PyYAML chooses."""
    if _BREAKS & set(text):
        return '"'
    return "|" if "\n" in text else "'" if _OTHERS.fullmatch(text) else None


_Dumper.add_representer(str, _represent)


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """Return an object as YAML, its keys in their own order."""
    return yaml.dump(dict(manifest), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)

"""Docstrings say of what they speak."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import windtunnel

SOURCE = Path(windtunnel.__file__).parent
_ENTRY = re.compile(r"\s*(?P<name>\w+): (?P<text>.+)")
_WITHOUT_NOUN = re.compile(
    r"(it|they|them|he|these|those|both|the same|that one|this one|the other|its own)"
    r"|(whether )?(it|they) (is|are|does|do|has|have|was|were|can|will)"
    r"|(what|where|how many|how often) (it|they) (is|are|does|do|has|have|was|were|failed)",
    re.IGNORECASE,
)


def descriptions(tree: ast.Module) -> Iterator[str]:
    """Yield each docstring's first line, and what it says of each argument and attribute."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first, *rest = (ast.get_docstring(node) or "").splitlines() or [""]
            yield first
            yield from (match["text"] for match in map(_ENTRY.match, rest) if match)


def test_a_docstring_names_its_noun() -> None:
    """None is a mere pronoun, such as `It.`, `The same.` or `Whether it is.`: read alone, it would say nothing."""
    found = [
        f"{path.relative_to(SOURCE)}: {text}"
        for path in sorted(SOURCE.rglob("*.py"))
        for text in descriptions(ast.parse(path.read_text(encoding="utf-8")))
        if _WITHOUT_NOUN.fullmatch(text.strip().rstrip("."))
    ]
    assert found == []

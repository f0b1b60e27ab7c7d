"""A TOML text whose values are rewritten where they stand: comments, order and layout stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from windtunnel.secrets.documents import Path, below, key_path

_TOKEN = re.compile(
    r"""(?P<gap>[ \t]+)|(?P<end>\n)|(?P<comment>\#[^\n]*)
    |(?P<text>\"{3}(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}|'{3}(?:[^']|'{1,2}(?!'))*'{3,5}
    |"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<sign>[\[\]{}=,])|(?P<word>[^\s\[\]{}=,\#"']+)""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"[\x7f\ud800-\udfff]")
Rewrite = Callable[[Any, Path], Any]
"""Returns a value of a document, given where it is, as it is to be."""


@dataclass(frozen=True)
class _Statement:
    """A key with its value: the path that it has in the document, and the tokens of the value."""

    path: Path
    tokens: list[re.Match[str]]

    @property
    def span(self) -> tuple[int, int]:
        return self.tokens[0].start(), self.tokens[-1].end()


def rewrite_toml(text: str, rewrite: Rewrite, rewrite_comment: Callable[[str], str]) -> str:
    """Return a TOML text with rewritten values and comments, in time that grows with its length.

    Raises:
        ValueError: The text is no TOML.
    """
    document = tomllib.loads(text)
    wanted = rewrite(document, ())
    edits: dict[tuple[int, int], str] = {}
    tokens = list(_TOKEN.finditer(text.replace("\r\n", "\n")))
    for token in tokens:
        if token.lastgroup == "comment":
            edits[token.span()] = rewrite_comment(token[0]).replace("\n", " ")
    for statement in _statements(tokens):
        edits |= _rewritten(statement, rewrite)
    rewritten = _edited(text.replace("\r\n", "\n"), edits)
    return rewritten if _means(rewritten, wanted) else dump(wanted)


def dump(document: Mapping[str, Any]) -> str:
    """Return a document as TOML, a line for each of its first keys."""
    return "".join(f"{_quoted(key)} = {_inline(value)}\n" for key, value in document.items())


def _statements(tokens: list[re.Match[str]]) -> Iterator[_Statement]:
    table: Path = ()
    for line in _lines(tokens):
        if line[0][0] == "[":
            header = "".join(token[0] for token in line if token.lastgroup != "comment")
            table = _path((), header.strip("[] \t"))
            continue
        equals = next(index for index, token in enumerate(line) if token[0] == "=")
        value = line[equals + 1 :]
        while value[0].lastgroup == "gap":
            del value[0]
        while value[-1].lastgroup in {"gap", "comment"}:
            del value[-1]
        yield _Statement(_path(table, "".join(token[0] for token in line[:equals])), value)


def _lines(tokens: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Yield the tokens of each header and of each key with its value, which may go over several lines."""
    line: list[re.Match[str]] = []
    depth = 0
    for token in tokens:
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        if token.lastgroup == "end" and depth == 0:
            if any(item.lastgroup not in {"gap", "comment"} for item in line):
                yield line
            line = []
        elif line or token.lastgroup not in {"gap", "end", "comment"}:
            line.append(token)
    if line:
        yield line


def _path(table: Path, key: str) -> Path:
    for part in key_path(key):
        table = below(table, part)
    return table


def _rewritten(statement: _Statement, rewrite: Rewrite) -> dict[tuple[int, int], str]:
    """Return what to put at which place of a text, so that a statement's value is as it is to be."""
    start, end = statement.span
    source = statement.tokens[0].string[start:end]
    before = tomllib.loads(f"x = {source}")["x"]
    after = rewrite(before, statement.path)
    if _same(after, before):
        return {}
    scalars = list(_scalar_tokens(statement.tokens))
    old, new = list(_scalars(before)), list(_scalars(after))
    if len(scalars) == len(old) == len(new):
        edits = {
            token.span(): _spelt_like(token[0], value)
            for token, was, value in zip(scalars, old, new, strict=True)
            if not _same(was, value)
        }
        moved = {(left - start, right - start): replacement for (left, right), replacement in edits.items()}
        if _means(f"x = {_edited(source, moved)}", {"x": after}):
            return edits
    return {(start, end): _inline(after)}


def _scalar_tokens(tokens: list[re.Match[str]]) -> Iterator[re.Match[str]]:
    """Yield the tokens of a value that are no keys, signs, gaps or comments."""
    for index, token in enumerate(tokens):
        rest = (other for other in tokens[index + 1 : index + 4] if other.lastgroup != "gap")
        after = next(rest, None)
        if token.lastgroup in {"text", "word"} and not (after and after[0] == "="):
            yield token


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, (Mapping, list)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _scalars(item)
    else:
        yield value


def _spelt_like(token: str, value: Any) -> str:
    """Return a value as TOML, over several lines if it was so before."""
    is_long = token.startswith(('"""', "'''")) and isinstance(value, str) and "\n" in value
    if is_long and "'''" not in value and not value.endswith("'") and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", value):
        return f"'''\n{value}'''"
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_quoted(key)} = {_inline(item)}' for key, item in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    # Of what JSON leaves as it is, TOML has one more character escaped.
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    parts, position = [], 0
    for (start, end), replacement in sorted(edits.items()):
        if start >= position:
            parts += [text[position:start], replacement]
            position = end
    return "".join([*parts, text[position:]])


def _means(text: str, wanted: Any) -> bool:
    try:
        return _same(tomllib.loads(text), wanted)
    except (ValueError, RecursionError):
        return False


def _same(one: Any, other: Any) -> bool:
    # 1 and true and 1.0 are equal to Python, and nan is not even equal to itself.
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))  # noqa: PLR0124 - nan

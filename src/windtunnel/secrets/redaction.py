"""A benchmark's secrets, and what may be written or shown instead of them: the one home of every writer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from windtunnel.errors import WindtunnelError
from windtunnel.secrets.addresses import Span, find_in_addresses
from windtunnel.secrets.commands import find_in_line
from windtunnel.secrets.documents import Path as KeyPath
from windtunnel.secrets.documents import is_secret_place, key_path, rewrite
from windtunnel.secrets.texts import merged
from windtunnel.secrets.toml import rewrite_toml

E = TypeVar("E", bound=BaseException)
REDACTED = "[redacted]"
_LONG, _SHORT, _LINE = 6, 3, 12
"""From `_LONG` characters on a secret is replaced wherever it stands; a shorter one is also a word or a number of
its own. Of a secret with several lines, each of `_LINE` characters is one too."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Redaction:
    """What a benchmark keeps secret, and every way in which it is kept out of texts, data and files.

    Attributes:
        secrets: The secret values, of all combinations of its matrix.
        names: What stays although it is somebody's secret, or has it in it: what the benchmark and its steps are
            called, and its run's folder.
    """

    secrets: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, documents: Iterable[Any], names: Iterable[str] = ()) -> Redaction:
        """Return the redaction of what stands in documents: tables of benchmarks, or plans as JSON data."""
        secrets: set[str] = set()

        def collect(text: str, spans: list[Span]) -> str:
            secrets.update(text[start:end] for start, end in spans)
            return text

        def collect_whole(value: str) -> str:
            secrets.add(value)
            return collect(value, find_in_line(value))

        for document in documents:
            rewrite(document, collect, collect_whole)
        return cls(frozenset(secrets), frozenset(names))

    @classmethod
    def of_variables(cls, variables: Mapping[str, str]) -> Redaction:
        """Return the redaction of an environment."""
        return cls.of([{"env": dict(variables)}])

    def __or__(self, other: Redaction) -> Redaction:
        return Redaction(self.secrets | other.secrets, self.names | other.names)

    def known(self, text: str) -> str:
        """Return a text without the secrets of this benchmark: what a program printed, for example."""
        if not self._pattern or not any(spelling in text for spelling in self._spellings):
            return text
        kept = [match.span() for match in re.finditer(self._kept, text)] if self._kept else []
        parts, position, number = [], 0, 0
        for start, end in (match.span() for match in re.finditer(self._pattern, text)):
            while number < len(kept) and kept[number][1] < end:
                number += 1
            if number == len(kept) or start < kept[number][0]:
                parts += [text[position:start], REDACTED]
                position = end
        return "".join([*parts, text[position:]])

    def text(self, text: str) -> str:
        """Return a message without secrets: those of this benchmark, and those in any address."""
        return self._cut(text, merged(list(find_in_addresses(text))))

    def error(self, error: E) -> E:
        """Take secrets out of an error's words; return it."""
        error.args = tuple(self.text(item) if isinstance(item, str) else item for item in error.args)
        if isinstance(error, OSError) and isinstance(error.filename, str):
            error.filename = self.text(error.filename)
        if isinstance(error, WindtunnelError):
            error.message = self.text(error.message)
            error.log_tail = tuple(self.known(line) for line in error.log_tail)
        return error

    def data(self, data: Any) -> Any:
        """Return JSON data whose texts are without secrets, as `text` does it."""
        if isinstance(data, Mapping):
            return {key: self.data(item) for key, item in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.data(item) for item in data]
        return self.text(data) if isinstance(data, str) else data

    def document(self, document: Any, path: KeyPath = ()) -> Any:
        """Return a benchmark's tables, a plan as JSON data, or the part of one at `path`, without what is secret there.

        What a name says to be a secret is hidden whole, however short; keys, and names of steps, stay.
        """
        return rewrite(document, self._cut, lambda _value: REDACTED, path)

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a matrix's dotted keys without secrets."""
        return dict(self.document({"values": values})["values"])

    def toml(self, text: str) -> str:
        """Return a benchmark's file without secrets; it stays TOML, and all else in it stays as it is written."""
        return rewrite_toml(text, self.document, self.line)

    def override(self, override: str) -> str:
        """Return a ``--set`` argument without secrets."""
        try:
            return self.toml(override)
        except ValueError:
            key, separator, value = override.partition("=")
            path = key_path(key.strip())
            if not separator or not path:
                return self.line(override)
            return f"{key}={REDACTED if is_secret_place(path) else self.line(value)}"

    def mask(self, path: Path, start: int = 0, *, is_text: bool = True) -> int:
        """Overwrite the secrets in a file with as many asterisks, in place: who reads or writes it can go on.

        What is no file (a pipe, a folder) is left alone. Memory is bounded, whatever the file's size.

        Args:
            path: The file.
            start: How many of its bytes were looked at before.
            is_text: Whether short secrets are looked for too: other data may have the same few bytes by chance.

        Returns:
            How many were looked at now, to begin after them the next time.
        """
        if not self._spellings or path.is_symlink() or not path.is_file():
            return start
        with path.open("r+b") as file:
            position, kept = max(0, start - self.overlap), b""
            file.seek(position)
            while chunk := file.read(_CHUNK):
                data = kept + chunk
                for begin, end in self._find(data, is_text=is_text):
                    file.seek(position - len(kept) + begin)
                    file.write(b"*" * (end - begin))
                data = self.masked(data, is_text=is_text)
                position += len(chunk)
                file.seek(position)
                kept = data[-self.overlap :]
        return position

    def masked(self, data: bytes, *, is_text: bool = True) -> bytes:
        """Return a chunk of a file as `mask` leaves it; of `overlap` bytes at its ends nothing is known."""
        masked = bytearray(data)
        for begin, end in self._find(data, is_text=is_text):
            masked[begin:end] = b"*" * (end - begin)
        return bytes(masked)

    @cached_property
    def overlap(self) -> int:
        """How long a secret is, in bytes, and the letter beside it that counts: so much may be cut at a chunk's end."""
        return max((len(_encoded(spelling)) for spelling in self._spellings), default=0) + 1

    def _find(self, data: bytes, *, is_text: bool) -> list[Span]:
        spellings, pattern = self._in_files[is_text]
        return [match.span() for match in pattern.finditer(data)] if any(item in data for item in spellings) else []

    @cached_property
    def _in_files(self) -> dict[bool, tuple[list[bytes], re.Pattern[bytes]]]:
        """The spellings and the pattern that are looked for in texts, and those for other data."""
        long = [spelling for spelling in self._spellings if len(spelling) >= _LONG]
        return {
            is_text: (list(map(_encoded, spellings)), re.compile(_encoded("|".join(map(_pattern, spellings)))))
            for is_text, spellings in ((True, self._spellings), (False, long))
        }

    def line(self, text: str) -> str:
        """Return a command line, a script or a configuration file without secrets."""
        return self._cut(text, find_in_line(text))

    def _cut(self, text: str, spans: list[Span]) -> str:
        parts, position = [], 0
        for start, end in spans:
            parts += [self.known(text[position:start]), REDACTED]
            position = end
        return "".join([*parts, self.known(text[position:])])

    @cached_property
    def _spellings(self) -> list[str]:
        """How the secrets may be spelt that are replaced wherever they stand, the longest first."""
        distinct = {part for secret in self.secrets for part in _parts(secret) if _is_distinct(part)} - self.names
        return sorted({spelling for part in distinct for spelling in _spellings(part)}, key=lambda s: (-len(s), s))

    @cached_property
    def _pattern(self) -> str:
        return "|".join(_pattern(spelling) for spelling in self._spellings)

    @cached_property
    def _kept(self) -> str:
        """A regular expression of the names that have a secret in them."""
        kept = [name for name in self.names if any(spelling in name for spelling in self._spellings)]
        return "|".join(map(re.escape, sorted(kept, key=len, reverse=True)))


def _parts(secret: str) -> list[str]:
    """Return a secret, and of one with several lines or with what an address encodes also what programs print of it."""
    lines = [line.strip() for line in secret.splitlines()]
    return [secret, secret.strip(), unquote(secret), *(line for line in lines if len(line) >= _LINE)]


def _is_distinct(value: str) -> bool:
    """Tell whether a value can only be the secret: a short one is also a word or a number of its own."""
    is_mixed = any(map(str.isalpha, value)) and not value.isalpha()
    return len(value) >= (_SHORT if is_mixed else _LONG)


def _spellings(value: str) -> set[str]:
    """Return a value as texts show it: plain, in JSON, in Python, in an address."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(value),
    }


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _pattern(value: str) -> str:
    """Return a regular expression of a value; what could be a word is found as a whole word only."""
    is_word = len(value) < _LONG or (len(value) < _LINE and (value.isalpha() or value.isdigit()))
    return rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])" if is_word else re.escape(value)

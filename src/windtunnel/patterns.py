"""Regular expressions of a benchmark's author, matched within bounds of time and memory.

Python's own ``re`` cannot be interrupted: one pattern that backtracks without end would hold the run, its deadline and
Ctrl-C. ``regex`` takes the same patterns and gives up after a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

WINDOW = 131_072
"""Characters that a pattern sees at once, and that it has `SECONDS` for."""
SPAN = 16_384
"""Characters that a match may span wherever it begins."""
SECONDS = 1.0
"""CPU time of this process that one window may take."""
_CONTEXT = 1024
# A brace that is no quantifier stands for itself in `re`; in `regex` it may allow errors in what is before it.
_BRACE = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?!\d*,?\d*\})", re.DOTALL)


class TooSlow(Exception):
    """A pattern did not come to an end within its time.

    Attributes:
        line: The line, counted from 1, with which the text begins that it took too long for.
    """

    def __init__(self, line: int) -> None:
        super().__init__(f"no end after {SECONDS:g} s of CPU time on {WINDOW // 1024} KiB, from line {line:,} on")
        self.line = line


@cache
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Return a pattern in which ``^`` and ``$`` are a line's begin and end.

    Raises:
        ValueError: It is not a regular expression.
    """
    import regex  # late: most benchmarks name a parser instead

    try:
        return regex.compile(_BRACE.sub(lambda brace: brace[1] or r"\{", pattern), regex.MULTILINE)
    except regex.error as error:
        raise ValueError(str(error)) from None


def find_all(pattern: str, chunks: Iterable[str], begin: int = 0) -> Iterator[regex.Match[str]]:
    """Yield every match in a text that comes in chunks, as if it were whole.

    A text of one window is matched whole. In a longer one, a match that begins in a window's last 16 KiB waits for the
    next window: none shorter than that is missed, or cut.

    Args:
        pattern: The regular expression.
        chunks: The text.
        begin: Where in the text the first match may begin.

    Raises:
        TooSlow: The pattern takes too long.
    """
    compiled = compile_pattern(pattern)
    text, line = "", 1
    for chunk in chunks:
        text += chunk
        if len(text) - begin < WINDOW:
            continue
        limit = text.rfind("\n", begin, len(text) - SPAN) + 1 or len(text) - SPAN
        for match in _matches(compiled, text, begin, line):
            if match.start() >= limit:
                break
            yield match
            begin = match.end()
        begin = max(begin, limit)
        cut = max(0, begin - _CONTEXT)
        line += text.count("\n", 0, cut)
        text, begin = text[cut:], begin - cut
    yield from _matches(compiled, text, begin, line)


def _matches(pattern: regex.Pattern[str], text: str, begin: int, line: int) -> list[regex.Match[str]]:
    """Return the matches from `begin` on; all at once, since the clock runs on between two of them."""
    try:
        return list(pattern.finditer(text, begin, timeout=SECONDS))
    except TimeoutError:
        raise TooSlow(line + text.count("\n", 0, begin)) from None

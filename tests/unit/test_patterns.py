"""Patterns over a text that comes in pieces: what Python's own ``re`` finds in the whole, within bounds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel import patterns
from windtunnel.patterns import SPAN, WINDOW, TooSlow, compile_pattern, find_all

BACKTRACKING = r"(?:.*?,){20}(\d+)z"
OF_A_LINE = [r"rate=(\S+)", r"^(\d+)$", r"(\d+) ?(ms|s)\b", r"^\s*total: (\d[\d.,]*)", r"(?<=x)(\d)", r"(a|b)?(\d)"]
texts = st.text(st.sampled_from("rate=1.25 ms\ntotal: x9,ab"), max_size=400)


def found(pattern: str, pieces: list[str]) -> list[tuple[str | None, ...]]:
    """Return each match with its groups."""
    return [(match[0], *match.groups()) for match in find_all(pattern, pieces)]


def expected(pattern: str, text: str) -> list[tuple[str | None, ...]]:
    """Return what ``re`` finds."""
    return [(match[0], *match.groups()) for match in re.finditer(pattern, text, re.MULTILINE)]


@given(texts, st.sampled_from(OF_A_LINE), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_a_text_in_pieces_gives_what_the_whole_does(text: str, pattern: str, lengths: list[int]) -> None:
    """Wherever it is cut, and however long it is beside the window, no match is missed, twice there, or cut."""
    pieces = []
    rest = text
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    pieces.append(rest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "WINDOW", 100)
        patch.setattr(patterns, "SPAN", 50)
        patch.setattr(patterns, "_CONTEXT", 5)
        # Lines of this test are longer than its windows; a match that spans less than 50 is found all the same.
        whole = [match for match in expected(pattern, text) if len(match[0] or "") < 40]
        assert [match for match in found(pattern, pieces) if len(match[0] or "") < 40] == whole


def test_a_text_of_one_window_is_seen_whole() -> None:
    """A pattern may span lines, and the begin and the end of the text are its own."""
    text = "begin\n" + "x\n" * 1000 + "value\n7\nend"
    assert found(r"\Abegin(?s:.*)value\s+(\d)\s+end\Z", [text]) == expected(r"\Abegin(?s:.*)value\s+(\d)\s+end\Z", text)


def test_a_match_of_several_lines_is_found_wherever_it_stands() -> None:
    """Up to 16 KiB of lines are seen together, also across windows."""
    block = "value:\n" + "x" * (SPAN - 100) + "\n7\n"
    text = "".join(f"{'-' * gap}\n{block}" for gap in range(0, WINDOW, 9973))
    pattern = r"^value:\nx+\n(\d)$"
    assert len(found(pattern, [text[at : at + 60_000] for at in range(0, len(text), 60_000)])) == text.count("value")


def test_the_begin_of_the_text_is_there_once() -> None:
    """A later window does not begin the text again."""
    pieces = ["1\n" * 50_000 for _ in range(8)]
    assert len(found(r"\A(\d)", pieces)) == 1


@pytest.mark.parametrize(
    "pattern", [r"rate{e} (\d)", r"rate{e<=2} (\d)", r"{d}(\d)", r"[{}](\d)", r"\{(\d)", r"a{,2}(\d)"]
)
def test_braces_mean_what_they_do_in_python(pattern: str) -> None:
    """Only a number in them is a quantifier; no error is allowed for that the author did not mean."""
    text = "rate{e} 1\nrate{e<=2} 2\nrat 3\n{d}4\n{5\n}6\naa7\nratx 8\n"
    assert found(pattern, [text]) == expected(pattern, text) != []


def test_a_pattern_that_backtracks_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before is kept, and the error has the line."""
    monkeypatch.setattr(patterns, "SECONDS", 0.02)
    matches = find_all(BACKTRACKING, ["1," * 20 + "5z\n", "line\n" * WINDOW, "1," * 2000 + "\n"])
    assert next(matches)[1] == "5"
    with pytest.raises(TooSlow, match=r"no end after 0\.02 s") as caught:
        list(matches)
    assert WINDOW - WINDOW // 4 < caught.value.line < WINDOW + 4


def test_a_wrong_pattern_is_told() -> None:
    """It is not a regular expression."""
    with pytest.raises(ValueError, match="missing"):
        compile_pattern("(")

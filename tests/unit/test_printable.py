"""Text of other programs as it may be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ümlaut, 漢字, \t tab\nline", "plain, ümlaut, 漢字, \t tab\nline"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:2:255:0:0mred\x1b[K", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPdata\x1b\\text", "text"),
        ("\x1b(Btext\x1bc", "text"),
        ("50 %\r100 %", "50 %100 %"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("abc\u202edef\u2066", "abcdef"),
        ("cut \x1b", "cut "),
        ("\x1b]0;never ended\nnext", "\nnext"),
        ("cut \x1b[3", "cut "),
    ],
)
def test_escape_sequences_and_control_characters_are_left_out(text: str, shown: str) -> None:
    """What is between them stays."""
    assert printable(text) == shown


@given(st.text(st.characters(max_codepoint=0x2070), max_size=40))
def test_nothing_shown_is_a_control_character(text: str) -> None:
    """Tabs and line feeds are; a text without any other is not changed."""
    shown = printable(text)
    assert {unicodedata.category(letter) for letter in shown if letter not in "\t\n"}.isdisjoint({"Cc"})
    assert printable(shown) == shown

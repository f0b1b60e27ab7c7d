"""Windtunnel's own names in strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.substitution import address_names, references, substitute

VALUES = {"PORT": "8080", "SERVER_HOST": "127.0.0.1"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$PORT", "8080"),
        ("${PORT}", "8080"),
        ("http://$SERVER_HOST:$PORT/", "http://127.0.0.1:8080/"),
        ("${PORT}0", "80800"),
        ("$PORTS", "$PORTS"),
        ("$HOME ${HOME} $(date) $1 $", "$HOME ${HOME} $(date) $1 $"),
        ("$$PORT", "$PORT"),
        ("$$$PORT", "$8080"),
        ("$$$$", "$$"),
        ("${PORT", "${PORT"),
        ("${}", "${}"),
        ("$port", "$port"),
    ],
)
def test_only_our_own_names_are_substituted(text: str, result: str) -> None:
    """Names are whole words, braces are allowed, and all else with a dollar stays as it is."""
    assert substitute(text, VALUES) == result


def test_a_substituted_value_is_not_substituted_again() -> None:
    """A value with a dollar in it is put in as it is."""
    assert substitute("$A", {"A": "$B $$", "B": "no"}) == "$B $$"


@given(st.text().filter(lambda text: "$" not in text))
def test_text_without_dollars_is_unchanged(text: str) -> None:
    """Nothing but a dollar begins a name."""
    assert substitute(text, VALUES) == text


@given(st.text())
def test_doubled_dollars_give_the_text_back(text: str) -> None:
    """Any text can be written, with each of its dollars doubled."""
    doubled = text.replace("$", "$$")
    assert substitute(doubled, VALUES) == text
    assert references(doubled) == set()


@given(st.text(alphabet="$AB_{}1 "))
def test_what_is_not_referred_to_is_not_needed(text: str) -> None:
    """A text's result depends on no name but those that `references` lists."""
    values = dict.fromkeys(("A", "B", "AB", "A1", "_"), "x")
    named = {name: value for name, value in values.items() if name in references(text)}
    assert substitute(text, values) == substitute(text, named)


@pytest.mark.parametrize(
    ("text", "names"),
    [("$A ${B} $$C $D$E", {"A", "B", "D", "E"}), ("no names", set()), ("$1 ${2} $", set()), ("$_x", {"_x"})],
)
def test_references_are_all_names_with_a_dollar(text: str, names: set[str]) -> None:
    """Escaped dollars and shell's own parameters are no names."""
    assert references(text) == names


def test_a_services_address_has_three_names() -> None:
    """A dash in a service's name is an underscore in the names of its address."""
    assert address_names("my-cache") == {
        "host": "MY_CACHE_HOST",
        "port": "MY_CACHE_PORT",
        "url": "MY_CACHE_URL",
    }

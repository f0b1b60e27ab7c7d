"""Help with names that were typed wrong."""

from __future__ import annotations

import pytest

from windtunnel.suggest import suggest


@pytest.mark.parametrize(
    ("typed", "help_text"),
    [("comand", "; did you mean 'command'?"), ("redy", "; did you mean 'ready'?"), ("xyz", ""), ("", "")],
)
def test_the_closest_name_is_offered(typed: str, help_text: str) -> None:
    """A name that is like none of the known ones gets no offer."""
    assert suggest(typed, ["command", "ready", "stop"]) == help_text


def test_nothing_known_offers_nothing() -> None:
    """Without known names there is no offer."""
    assert suggest("name", []) == ""

"""Objects as YAML: what was written is what is read, also by readers that take more words for numbers than PyYAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.yaml_documents import to_yaml


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text()) | st.none() | st.booleans() | st.integers()))
def test_what_was_written_is_read(document: dict[str, object]) -> None:
    """Whatever the texts are."""
    assert yaml.safe_load(to_yaml(document)) == document


@pytest.mark.parametrize("text", ["y", "N", "1e3", "-1E+3", "0o17", "0b1", "0x1F", "1_000", ".5", "1.5.2"])
def test_what_others_take_for_no_text_is_quoted(text: str) -> None:
    """`kubectl` took a variable's value `y` for true, and refused the pod."""
    assert to_yaml({"value": text}) == f"value: '{text}'\n"


def test_a_text_of_several_lines_is_a_block() -> None:
    """As people write a file."""
    assert to_yaml({"file": "a\nb\n"}) == "file: |\n  a\n  b\n"

"""Tables on terminals of any width: no number is cut, and no name vanishes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from windtunnel.cli.output import console
from windtunnel.cli.tables import Column, print_table

COLUMNS = [Column("metric", is_folded=True), Column("unit"), *[Column(name, is_right=True) for name in ("mean", "p99")]]
ROWS = [["requests_per_second{test=SET}", "1/s", "223,456", "1.235e+07"], ["p", "ms", "0.001", "± 0.1 (24.8%)"]]
SWEEP = [Column("client.env.SIZE", is_folded=True), *[Column("rate" * 8, is_right=True, is_folded=True)] * 3]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard output is a terminal."""
    console.cache_clear()
    monkeypatch.setenv("FORCE_COLOR", "1")
    yield
    console.cache_clear()


def printed(capsys: pytest.CaptureFixture[str], width: int, columns: list[Column], rows: list[list[str]]) -> list[str]:
    """Return the lines that a terminal of this width shows, without their colours."""
    console().width = width
    print_table(columns, rows)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120])
def test_no_number_is_cut_on_a_narrow_terminal(capsys: pytest.CaptureFixture[str], width: int) -> None:
    """Each stands whole on one line, which is no wider than the terminal."""
    for columns, rows in ((COLUMNS, ROWS), (SWEEP, [["1", "223,456", "1.235e+07", "0.001"]])):
        lines = printed(capsys, width, columns, rows)
        for row in rows:
            for cell in row[1:]:
                assert any(cell in line for line in lines), (cell, lines)
        if columns is COLUMNS:
            assert max(map(len, lines)) <= max(width, len(ROWS[0][0]))


@pytest.mark.usefixtures("terminal")
def test_a_terminal_that_is_too_narrow_gets_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    """A row is its name, and below it what is known, with the columns' names."""
    assert printed(capsys, 34, COLUMNS, ROWS) == [
        "requests_per_second{test=SET}",
        "  unit 1/s  mean 223,456",
        "  p99 1.235e+07",
        "p",
        "  unit ms  mean 0.001",
        "  p99 ± 0.1 (24.8%)",
    ]


@pytest.mark.usefixtures("terminal")
def test_a_wide_terminal_gets_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """With one line for their names."""
    lines = printed(capsys, 80, COLUMNS, ROWS)
    assert lines[0].split() == ["metric", "unit", "mean", "p99"]
    assert lines[1].split() == ROWS[0]


@pytest.mark.usefixtures("terminal")
def test_names_of_columns_do_not_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """They are keys and metrics, which programs and files give."""
    console().width = 80
    print_table([Column("a\x1b]0;title\x07b"), Column("\x9b2Jc")], [["1", "2"]])
    assert not re.search("[\x07\x9b]", capsys.readouterr().out)

"""Tables: as many rows as a person reads, in colour, on a terminal; all of them, plain, for whatever reads a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windtunnel.cli.output import console, echo, say
from windtunnel.printable import printable

MOST_ROWS = 200
"""What a terminal shows of a table."""


@dataclass(frozen=True)
class Column:
    """A column: its name, whether it is aligned on the right or may be folded, and the style of some of its words."""

    name: str
    is_right: bool = False
    is_folded: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text on standard output: on a terminal as wide as it is, else each on one line."""
    clean = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    if console().is_terminal:
        _print_rich(columns, clean)
    else:
        _print_plain(columns, clean)


def shown(count: int, what: str, others: str) -> int:
    """Return how many rows of a table to print, and tell a person of the others.

    Args:
        count: How many there are.
        what: Such as ``older runs``.
        others: How to see them.
    """
    if not console().is_terminal or count <= MOST_ROWS:
        return count
    say(f"{count - MOST_ROWS:,} {what} are not shown; {others}", "dim")
    return MOST_ROWS


def _print_plain(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    table = [[column.name for column in columns], *rows]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if column.is_right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in table
    )
    echo("\n".join(lines))


def _print_rich(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.name),
            justify="right" if column.is_right else "left",
            overflow="fold" if column.is_folded else "ellipsis",
            no_wrap=not column.is_folded,
        )
    for row in rows:
        table.add_row(*(Text(cell, column.styles.get(cell, "")) for cell, column in zip(row, columns, strict=True)))
    console().print(table, soft_wrap=False)

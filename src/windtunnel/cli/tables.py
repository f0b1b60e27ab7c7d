"""Tables: as many rows as a person reads, in colour, on a terminal; all of them, plain, in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from windtunnel.cli.output import console, echo, print_err
from windtunnel.printable import printable

MOST_ROWS = 200
"""What a terminal shows of a table."""
LEAST_NAME = 16
"""Columns of a terminal that a name has at least, before it is folded."""
_GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column: its name, whether it is aligned on the right or may be folded, and the style of some of its words."""

    name: str
    is_right: bool = False
    is_folded: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text on standard output: on a terminal as wide as it is, else each on one line.

    A terminal that is too narrow for all numbers gets each row as a block of lines.
    """
    columns = [replace(column, name=_clean(column.name)) for column in columns]
    clean = [[_clean(cell) for cell in row] for row in rows]
    if not console().is_terminal:
        _print_plain(columns, clean)
    elif _least_width(columns, clean) <= console().width:
        _print_rich(columns, clean)
    else:
        _print_blocks(columns, clean)


def _clean(cell: str) -> str:
    return printable(cell).replace("\n", " ")


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the columns of a terminal in which no number is cut and no name is folded into crumbs."""
    from rich.cells import cell_len

    width = len(_GAP) * (len(columns) - 1)
    for number, column in enumerate(columns):
        name, cells = cell_len(column.name), max((cell_len(row[number]) for row in rows), default=0)
        if not column.is_folded:
            width += max(name, cells)
        elif column.is_right:
            width += max(min(name, LEAST_NAME), cells)
        else:
            width += min(max(name, cells), LEAST_NAME)
    return width


def _print_blocks(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as its first cell and, below it, the others with the names of their columns."""
    from rich.text import Text

    out = console()
    for row in rows:
        out.print(Text(row[0], "bold"))
        line = Text()
        for column, cell in zip(columns[1:], row[1:], strict=True):
            item = Text.assemble(_GAP, (column.name, "dim"), " ", (cell, column.styles.get(cell, "")))
            if line and line.cell_len + item.cell_len > out.width:
                out.print(line)
                line = Text()
            line += item
        out.print(line)


def limit_rows(count: int, what: str, others: str) -> int:
    """Return how many rows of a table to print, and tell a person of the others.

    Args:
        count: Number of rows.
        what: What the rows are, such as ``older runs``.
        others: How to see the others.
    """
    if not console().is_terminal or count <= MOST_ROWS:
        return count
    print_err(f"{count - MOST_ROWS:,} {what} are not shown; {others}", "dim")
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

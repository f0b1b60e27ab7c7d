"""Renews the tables and the picture of docs/duels.md, by simulation: ``make curves``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from simulation.curves import draw_curves
from simulation.histories import of_histories
from simulation.stored import of_stored_runs
from simulation.tables import of_kinds, of_spreads
from simulation.wrong_ways import of_reductions, of_wrong_ways

TABLES = {
    "kinds": (of_kinds, 1),
    "spreads": (of_spreads, 1),
    "wrong ways": (of_wrong_ways, 1),
    "reductions": (of_reductions, 1),
    "stored runs": (of_stored_runs, 5),
    "histories": (of_histories, 40),
}
"""What makes each table, and how many times fewer of its comparisons there are than duels: they take longer."""
DOCS = Path(__file__).parents[2] / "docs"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and write what comes of it between the marks of the page."""
    options = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    options.add_argument("--duels", type=int, default=20_000, help="how many are simulated for each number")
    options.add_argument("--docs", type=Path, default=DOCS, help="the folder with duels.md")
    chosen = options.parse_args(arguments)
    page = chosen.docs / "duels.md"
    text = page.read_text(encoding="utf-8")
    for name, (make, share) in TABLES.items():
        text = replaced(text, name, make(max(1, chosen.duels // share)))
    page.write_text(text, encoding="utf-8")
    images = chosen.docs / "images"
    images.mkdir(exist_ok=True)
    draw_curves(chosen.duels // 4, images / "duel-power.png")


def replaced(text: str, name: str, lines: list[str]) -> str:
    """Return a page with these lines between its marks of that name."""
    begin, end = f"<!-- simulated: {name} -->\n", "<!-- end -->\n"
    before, _, rest = text.partition(begin)
    _old, mark, after = rest.partition(end)
    if not mark:
        raise SystemExit(f"the page has no {begin.strip()} … {end.strip()}")
    return "".join([before, begin, *(f"{line}\n" for line in lines), end, after])


if __name__ == "__main__":
    main()

"""The page that is made by simulation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulation.__main__ import DOCS, main


@pytest.mark.long
def test_the_page_of_duels_is_made_by_simulation(tmp_path: Path) -> None:
    """The script finds each table's place, makes its rows, and the picture; few duels give other numbers only."""
    shutil.copy(DOCS / "duels.md", tmp_path)
    main(["--duels", "40", "--docs", str(tmp_path)])
    committed, made = (labels(folder / "duels.md") for folder in (DOCS, tmp_path))
    assert made == committed
    assert len(made) > 50
    assert (tmp_path / "images" / "duel-power.png").stat().st_size > 10_000


def labels(page: Path) -> list[str]:
    """Return the first cell of each row of a page's tables."""
    return [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]

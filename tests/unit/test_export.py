"""What runs measured as one table: a row a sample, in memory, as CSV and as Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import windtunnel
from support.made import write_run
from windtunnel.analysis.export import COLUMNS, load_runs
from windtunnel.cli import main
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord, SweepPart

NewFolder = Callable[[str], RunFolder]
GET, SET = (("op", "get"),), (("op", "set"),)


@pytest.fixture
def store(new_folder: NewFolder, single_node: str) -> Path:
    """Two runs of a sweep with labelled samples, and one that measured nothing."""
    for number, size in enumerate((1, [2, 4])):
        folder = new_folder(single_node)
        record = write_run(folder, [{GET: [1.0, 2.0], SET: [10.0]}, {GET: [3.0 + number]}], warmup=1)
        record.sweep = SweepPart(id="a-sweep", values={"gang.size": size})
        record.labels = {"team": "caching"}
        folder.write_record(record)
    empty = new_folder(single_node)
    empty.write_record(
        RunRecord(run_id=empty.run_id, benchmark="b", strategy="s", engine="i", backend="r", status="failed")
    )
    return empty.path.parent


def test_each_sample_is_a_row_with_all_that_tells_it(store: Path) -> None:
    """Its run, its unit, its labels, the values of its sweep, and whether it counts."""
    table = load_runs(store)

    assert list(table.columns) == [*COLUMNS, "label.op", "run_label.team", "sweep.gang.size"]
    assert len(table) == 8
    assert table["value"].sum() == 2 * 13.0 + 3.0 + 4.0
    assert table[table["label.op"] == "set"]["value"].tolist() == [10.0, 10.0]
    assert table.groupby("warmup")["value"].count().to_dict() == {True: 6, False: 2}
    assert set(table["unit"]) == {"ms"}
    assert set(table["sweep"]) == {"a-sweep"}
    assert set(table["run_label.team"]) == {"caching"}
    assert str(table["time"].dtype).startswith("datetime64")


def test_values_of_several_types_are_text(store: Path) -> None:
    """A matrix may have a list beside a number; a file's column has one type."""
    assert set(load_runs(store)["sweep.gang.size"]) == {"1", "[2, 4]"}


def test_a_run_that_cannot_be_read_hides_no_other(store: Path) -> None:
    """It is told of."""
    next(store.glob("*/run.json")).write_text("{")
    told: list[Exception] = []

    assert load_runs(store, on_broken=told.append)["run_id"].nunique() >= 1
    assert len(told) == 1


def test_a_store_without_runs_has_a_table_without_rows(tmp_path: Path) -> None:
    """With the columns of any other, so that the same analysis works."""
    table = load_runs(tmp_path / "none")

    assert list(table.columns) == list(COLUMNS)
    assert table.empty
    assert windtunnel.load_runs is load_runs


def test_parquet_gives_back_what_was_in_it(store: Path, tmp_path: Path) -> None:
    """Times, flags and missing values as they were."""
    assert main_code(["export", "--store", str(store), "--output", str(tmp_path / "all.parquet")]) == 0
    found = pd.read_parquet(tmp_path / "all.parquet")

    pd.testing.assert_frame_equal(found, load_runs(store), check_dtype=False)


def test_csv_goes_to_standard_output(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else does, so that it can be piped."""
    assert main_code(["export", "a-sweep", "--store", str(store)]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))

    assert list(found["value"]) == list(load_runs(store)["value"])
    assert found["unit"].eq("ms").all()


@pytest.mark.parametrize(
    ("output", "words"), [("all.xlsx", "give it the ending .csv or .parquet"), ("no/x.csv", "directory")]
)
def test_a_file_that_cannot_be_written_is_a_usage_error(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, words: str
) -> None:
    """It is said which, and why."""
    assert main_code(["export", "--store", str(store), "-o", str(tmp_path / output)]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def main_code(arguments: list[str]) -> int:
    """Return the exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)

"""Commands for a sweep as a whole: its runs together, found again by the sweep's id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.made import write_sweep
from support.page import Page
from windtunnel.cli import main
from windtunnel.cli.output import console

Command = Callable[..., tuple[int, str, str]]
MATRIX = '[client.env]\nTHREADS = "1"\nSIZE = "1"\n[matrix]\n"client.env.THREADS" = ["1", "2", "4"]\n'


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Call the command line in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    console.cache_clear()

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        return int(end.value.code or 0), *capsys.readouterr()

    yield call
    console.cache_clear()


@pytest.fixture
def sweep(tmp_path: Path, single_node: str) -> Callable[..., str]:
    """Write a sweep over threads into the store, of which the last run is suspect, and give its id."""

    def write(more: str = "") -> str:
        def measure(values: Mapping[str, Any]) -> dict[str, list[float]]:
            rate = 100.0 * int(values["client.env.THREADS"])
            return {"rate": [rate - 1, rate, rate + 1], "other": [1.0, 2.0, 3.0]}

        doubt = {"validity": "suspect", "reasons": ["client was starved"]}
        write_sweep(tmp_path / "runs", f"{single_node}\n{MATRIX}{more}", measure, {2: doubt})
        return "alone-sweep"

    return write


def test_a_sweep_is_shown_with_its_speed_up(command: Command, sweep: Callable[..., str]) -> None:
    """The runs, then the speed-up of each metric that has one, and why others have none."""
    code, out, _err = command("show", sweep())
    lines = out.splitlines()

    assert code == 0
    assert lines[0] == "sweep alone-sweep: 3 runs"
    assert [line.split() for line in lines[2:5]] == [
        ["1", "valid", "100.0", "2.000"],
        ["2", "valid", "200.0", "2.000"],
        ["4", "suspect", "400.0", "2.000"],
    ]
    assert lines[5] == "speed-up over client.env.THREADS, against 1: 95 % interval, and efficiency"
    assert lines[6].split() == ["client.env.THREADS", "rate"]
    assert [line.split() for line in lines[7:10]] == [
        ["1", "1", "100%"],
        ["2", "2", "(1.946", "to", "2.057)", "100%"],
        ["4", "suspect"],
    ]
    assert lines[10] == (
        'no speed-up over client.env.THREADS of other: the benchmark does not say whether "higher" or "lower" is better'
    )
    assert len(lines) == 11


def test_a_sweep_is_shown_as_run_prints_it(command: Command, sweep: Callable[..., str]) -> None:
    """One object: the sweep's id, the records, and the speed-ups; a run is still a run."""
    told = json.loads(command("show", sweep(), "--json")[1])
    speedups = {each["metric"]: each for each in told["scaling"]}

    assert list(told) == ["sweep_id", "runs", "scaling"]
    assert told["sweep_id"] == "alone-sweep"
    assert [point["run_id"] for point in speedups["rate"]["points"]] == [run["run_id"] for run in told["runs"]]
    assert [point["speedup"] for point in speedups["rate"]["points"]] == [1.0, 2.0, None]
    assert speedups["rate"]["points"][2]["refused"] == "suspect: client was starved"
    run = told["runs"][0]["run_id"]
    assert json.loads(command("show", run, "--json")[1]) == told["runs"][0]
    assert command("show", run)[1].splitlines()[-1] == "sweep: alone-sweep"


@pytest.mark.usefixtures("undrawn")
def test_the_report_of_a_sweep_lies_beside_its_runs(command: Command, sweep: Callable[..., str]) -> None:
    """Or where it is told to; the start of the sweep's id is enough, and runs are listed as before."""
    sweep()
    assert command("report", "alone-sweep") == (0, "report: runs/alone-sweep.html\n", "")
    assert command("report", "alone-sw", "-o", "x.html") == (0, "report: x.html\n", "")
    assert "2 of 3 runs are valid" in Page(Path("x.html").read_text(encoding="utf-8")).text
    assert len(json.loads(command("runs", "--json")[1])) == 3


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("act", ["show", "report"])
def test_a_key_of_workers_is_named_where_it_is_not_known(command: Command, sweep: Callable[..., str], act: str) -> None:
    """One that is none is refused, and so is one of a run."""
    name = sweep('"client.env.SIZE" = ["1", "2"]\n')
    assert command(act, name, "--workers", "client.env.SIZE")[0] == 0
    code, _out, err = command(act, name, "--workers", "client.env.SIZES")
    assert (code, "client.env.SIZES is no key of the sweep's matrix" in err) == (2, True)
    code, _out, err = command(act, "last", "--workers", "client.env.SIZE")
    assert (code, "--workers: last is no sweep" in err) == (2, True)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("form", ["--json", "--strict"])
def test_a_sweep_that_is_run_has_a_report_of_each_run_and_of_all(command: Command, single_node: str, form: str) -> None:
    """With `--json` standard output has one object all the same."""
    Path("b.toml").write_text(f"{single_node}\n{MATRIX}", encoding="utf-8")
    code, out, err = command("run", "b.toml", "--backend", "recording", "--report", form)
    reports = [line for line in (err if form == "--json" else out).splitlines() if line.startswith("report: ")]
    runs = sorted(Path("runs").glob("*/report.html"))
    (whole,) = Path("runs").glob("*.html")

    assert code == 5
    assert len(runs) == 3
    assert sorted(reports) == sorted(f"report: {path}" for path in (*runs, whole))
    assert reports[-1] == f"report: {whole}"
    assert "There is nothing to compare" in whole.read_text(encoding="utf-8")
    if form == "--json":
        told = json.loads(out)
        assert told["sweep_id"] == whole.stem
        assert told["scaling"] == []

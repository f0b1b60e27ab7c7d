"""The course of a duel: its rounds and their order, what is dropped, what ends it, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from windtunnel.analysis.comparison.run_values import compared_metrics
from windtunnel.analysis.comparison.words import in_words
from windtunnel.analysis.duel.design import Design
from windtunnel.analysis.duel.design import Side as SideName
from windtunnel.analysis.duel.judgement import Judgement
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.duel.course import Duel, Told
from windtunnel.duel.record import DesignRecord, DuelRecord, Round, read_duel, write_duel
from windtunnel.duel.sides import Side, check_alike, file_side, find_baseline
from windtunnel.duel.words import as_markdown, headline
from windtunnel.engines.inline import run as run_inline
from windtunnel.engines.request import Request, make_request
from windtunnel.errors import DescriptorError, UsageError
from windtunnel.run.folder import RunFolder

BASE = [10.0, 10.1, 9.9, 10.0, 10.2]
SHA_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
TEXT = """
spec_version = "1"
[benchmark]
name = "burn"
strategy = "single-node"
[client]
command = ["burn"]
[[metrics]]
name = "time"
unit = "ms"
better = "lower"
pattern = 'time=([0-9.]+)'
"""


class Table:
    """Two sides on a platform that runs nothing: each run's output is played, round by round."""

    def __init__(self, folder: Path, values: dict[SideName, Sequence[float | int | Outcome]]) -> None:
        self.folder, self.store = folder, folder / "runs"
        self.file = folder / "burn.toml"
        self.file.write_text(TEXT)
        self.sides: dict[SideName, Side] = {name: file_side(self.file, []) for name in values}
        self.ran: list[tuple[SideName, int]] = []
        self.dies_after = 1000
        self.judgement: Judgement | None = None
        self._values = {name: iter(each) for name, each in values.items()}

    def request(self, side: Side) -> Request:
        """Return a request of a side."""
        return make_request(side.loaded, side.plan, RecordingBackend(), str(self.store))

    def measure(self, request: Request) -> Any:
        """Play a run."""
        assert request.duel
        if len(self.ran) == self.dies_after:
            raise KeyboardInterrupt
        self.ran.append((request.duel.side, request.duel.round))
        value = next(self._values[request.duel.side])
        outcome = value if isinstance(value, Outcome) else Outcome(output=f"time={value}")
        assert isinstance(request.backend, RecordingBackend)
        request.backend.outcomes = {"client": [outcome]}
        return run_inline(request)

    def record(self, rounds: int = 5, *, fixed: bool = False) -> DuelRecord:
        """Return a new duel."""
        return DuelRecord(
            duel_id="a-duel",
            benchmark="burn",
            backend="recording",
            engine="inline",
            started="2026-01-01T00:00:00.000Z",
            design=DesignRecord.model_validate(Design(rounds, 1, is_fixed=fixed).to_json()),
            sides={name: side.contender() for name, side in self.sides.items()},
        )

    def run(self, record: DuelRecord) -> DuelRecord:
        """Do what is left of a duel."""
        told = Told(lambda *_each: None, self._look)
        return Duel(record, self.sides, self.request, self.measure, self.store, (), told).run()

    def _look(self, _round: Round, judgement: Judgement | None) -> None:
        self.judgement = judgement or self.judgement

    def words(self, record: DuelRecord) -> str:
        """Return what is said of a duel: its headline, and its metric."""
        assert self.judgement
        (metric,) = self.judgement.metrics
        return f"{headline(record, self.judgement)}; {in_words(metric, self.judgement.level, record.units)}"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Table]:
    """Set a table with what each run of each side prints."""
    return lambda baseline, candidate: Table(tmp_path, {"baseline": baseline, "candidate": candidate})


def test_each_round_has_a_run_of_each_side_in_the_planned_order(table: Callable[..., Table]) -> None:
    """Every one a whole run, which knows what it is of."""
    played = table(BASE, BASE)
    found = played.run(played.record())

    assert [side for side, _number in played.ran[::2]] == found.design.firsts
    assert [number for _side, number in played.ran] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    runs = [RunFolder(played.store / run).read_record() for each in found.done for run in each.runs.values()]
    assert all(run.duel and run.duel.id == "a-duel" for run in runs)


def test_a_candidate_that_is_slower_is_worse(table: Callable[..., Table]) -> None:
    """It ends with 6, and says by how much."""
    played = table(BASE, [value * 1.1 for value in BASE])
    found = played.run(played.record())

    assert (found.verdict, found.exit_code, found.status) == ("worse", 6, "succeeded")
    assert played.words(found).startswith("the candidate is worse, after 5 rounds; time: worse, +10.0 % (")
    assert "| `time` | worse | +10.0 % |" in as_markdown(found, played.judgement)


def test_a_candidate_that_is_faster_is_better(table: Callable[..., Table]) -> None:
    """It ends with 0."""
    played = table(BASE, [value * 0.9 for value in BASE])
    found = played.run(played.record())

    assert (found.verdict, found.exit_code) == ("better", 0)


def test_sides_that_are_less_apart_than_matters_are_the_same(table: Callable[..., Table]) -> None:
    """What is not known may be far apart; this is known."""
    played = table([10.0, 10.01, 9.99, 10.0, 10.0], [10.0, 10.0, 10.0, 10.01, 9.99])
    found = played.run(played.record())

    assert (found.verdict, found.exit_code) == ("same", 0)
    assert "time: same, less than 2 % apart, " in played.words(found)


def test_a_duel_that_cannot_tell_says_how_many_rounds_it_needs(table: Callable[..., Table]) -> None:
    """It is no success to have measured too little, and no failure unless that is asked for."""
    played = table([10.0, 12.0, 9.0, 11.0, 10.5], [11.0, 9.5, 12.0, 10.0, 9.0])
    found = played.run(played.record())

    assert (found.verdict, found.exit_code) == ("unknown", 0)
    assert "; needs about " in played.words(found)


def test_a_duel_ends_at_the_first_look_that_has_a_verdict(table: Callable[..., Table]) -> None:
    """Between looks nothing is said, however clear it seems."""
    played = table([10.0] * 8, [20.0] * 8)
    found = played.run(played.record(rounds=8))

    assert len(found.done) == 5
    assert found.verdict == "worse"


def test_a_fixed_duel_has_one_look(table: Callable[..., Table]) -> None:
    """After all of its rounds."""
    played = table([10.0] * 8, [20.0] * 8)

    assert len(played.run(played.record(rounds=8, fixed=True)).done) == 8


def test_a_candidate_that_cannot_be_measured_has_no_verdict(table: Callable[..., Table]) -> None:
    """It keeps its own exit code, and is not called worse."""
    played = table([10.0], [Outcome(status=9)])
    found = played.run(played.record())

    assert (found.verdict, found.exit_code, found.status) == (None, 1, "failed")
    told = headline(found, played.judgement)
    assert told.startswith("no verdict: the candidate could not be measured: client exited with status 9")


def test_a_round_is_lost_for_its_cause(table: Callable[..., Table]) -> None:
    """Never for its value; the others count."""
    played = table([*BASE, 10.0], [11.0, Outcome(status=1), 11.1, 10.9, 11.0, 11.2])
    found = played.run(played.record(rounds=6))

    assert [each.number for each in found.done if each.lost] == [2]
    assert found.verdict == "worse"
    assert "round 2 was lost: the candidate: client exited with status 1" in as_markdown(found, played.judgement)


def test_a_series_that_a_run_lacks_is_compared_all_the_same(table: Callable[..., Table]) -> None:
    """It costs that run's round, for its cause; it does not leave what is judged without a word."""
    played = table(BASE, BASE)
    (job,) = played.sides["baseline"].plan.jobs
    run = played.run(played.record()).done[0].runs["baseline"]
    whole = RunFolder(played.store / run).read_record().metrics
    both = whole | {"time{op=get}": whole["time"]}

    for runs in ([both, whole], [whole, both]):
        assert {metric.name for metric in compared_metrics(runs, job) if metric.gates} == set(both)


def test_a_duel_that_loses_its_rounds_knows_nothing(table: Callable[..., Table]) -> None:
    """A fifth of them may be lost."""
    bad = Outcome(status=1)
    played = table([10.0] * 5, [11.0, bad, bad, 11.0, 11.0])
    found = played.run(played.record())

    assert found.verdict == "unknown"
    assert "2 of 3 rounds were lost" in headline(found, played.judgement)


def test_a_duel_goes_on_at_its_round(table: Callable[..., Table]) -> None:
    """A round that was not done is done anew, both sides of it, in the planned order."""
    played = table([10.0, 10.0], [11.0, 11.0])
    played.dies_after = 3
    record = played.record()
    with pytest.raises(KeyboardInterrupt):
        played.run(record)
    left = read_duel("a-duel", played.store)
    assert len(left.done) == 1

    again = table([9.9, 10.0, 10.2, 10.0], [10.9, 11.0, 11.2, 11.0])
    found = again.run(left)
    assert [number for _side, number in again.ran] == [2, 2, 3, 3, 4, 4, 5, 5]
    assert [side for side, _number in again.ran[::2]] == record.design.firsts[1:]
    assert found.verdict == "worse"


def test_a_stored_baseline_is_made_again_as_it_was(table: Callable[..., Table]) -> None:
    """With the overrides that it had, and its inputs as they were."""
    played = table([10.0], [10.0])
    (played.folder / "data.bin").write_bytes(b"one")
    text = TEXT + '[[inputs]]\nsrc = "data.bin"\npath = "data.bin"\n'
    played.file.write_text(text)
    side = file_side(played.file, ["run.warmup=1"])
    record = run_inline(make_request(side.loaded, side.plan, RecordingBackend(), str(played.store)))
    run = RunFolder(played.store / str(record.run_id))
    run.append("events", {"type": "input_fetched", "message": "data.bin", "data": {"sha256": SHA_OF_ONE}})
    run.close()

    def open_run(name: str) -> RunFolder:
        assert name == "then"
        return run

    found = find_baseline("then", played.file, [], open_run)
    assert found.plan.jobs[0].warmup == 1
    assert found.plan.inputs[0].sha256 == SHA_OF_ONE
    (played.folder / "data.bin").write_bytes(b"two")
    with pytest.raises(UsageError, match=r"input data\.bin is another one now"):
        find_baseline("then", played.file, [], open_run)


def test_sides_that_are_measured_in_other_ways_do_not_meet(tmp_path: Path) -> None:
    """More repeats, or another metric, is another measurement."""
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(TEXT)
    other.write_text(f"{TEXT}[run]\nrepeats = 3\n")

    with pytest.raises(UsageError, match=r"run\.repeats"):
        check_alike(file_side(one, []), file_side(other, []))


def test_a_duel_that_is_none_cannot_be_read(tmp_path: Path) -> None:
    """It is said where it was looked for."""
    with pytest.raises(UsageError, match="no duel 'x'"):
        read_duel("x", tmp_path)


def test_a_duel_is_read_as_it_was_written(table: Callable[..., Table], tmp_path: Path) -> None:
    """By its id, by the start of it, and as the last one."""
    record = table([], []).record()
    write_duel(record, tmp_path / "runs")

    assert read_duel("a-", tmp_path / "runs") == read_duel("last", tmp_path / "runs") == record


def test_a_baseline_file_that_is_wrong_is_refused(tmp_path: Path) -> None:
    """As any benchmark."""
    (tmp_path / "bad.toml").write_text("spec_version = 3")
    with pytest.raises(DescriptorError):
        find_baseline(str(tmp_path / "bad.toml"), tmp_path / "x.toml", [], lambda _name: RunFolder(tmp_path))

"""Finding runs again, and telling a lost one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from windtunnel.errors import UsageError
from windtunnel.run.driver import driver_identity
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord, Status
from windtunnel.run.store import find_runs, find_sweep, open_run, read_run

Keep = Callable[..., RunFolder]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that is there and empty."""
    path = tmp_path / "runs"
    path.mkdir()
    return path


@pytest.fixture
def keep(store: Path) -> Keep:
    """Put a run with a record into the store."""

    def put(
        name: str, started: str = "2026-01-01T00:00:00Z", status: Status = "succeeded", **fields: object
    ) -> RunFolder:
        folder = RunFolder(store / name)
        folder.path.mkdir()
        basic = {"run_id": name, "benchmark": "b", "strategy": "s", "engine": "inline", "backend": "recording"}
        folder.write_record(RunRecord.model_validate(basic | {"started": started, "status": status} | fields))
        return folder

    return put


def test_runs_are_found_oldest_first(keep: Keep, store: Path) -> None:
    """The order is that of their beginning, not of their names."""
    keep("a", "2026-01-02T00:00:00Z")
    keep("b", "2026-01-01T00:00:00Z")
    (store / "no-run").mkdir()
    (store / "a-file").write_text("", encoding="utf-8")
    assert [record.run_id for _folder, record in find_runs(store)] == ["b", "a"]


def test_a_store_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert list(find_runs(tmp_path / "none")) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["redis-1-aa", "redis-1", "last"])
def test_a_run_is_opened_by_id_start_or_as_the_last(keep: Keep, store: Path, name: str) -> None:
    """All of these mean the newest of the two."""
    keep("redis-0-aa", "2026-01-01T00:00:00Z")
    wanted = keep("redis-1-aa", "2026-01-02T00:00:00Z")
    assert open_run(name, store).path == wanted.path


def test_a_run_is_opened_by_its_folder(keep: Keep, tmp_path: Path) -> None:
    """A path works without its store."""
    wanted = keep("redis-0-aa")
    assert open_run(str(wanted.path), tmp_path / "none").path == wanted.path


def test_a_whole_id_wins_over_a_start(keep: Keep, store: Path) -> None:
    """An id that is also the start of another one is not ambiguous."""
    wanted = keep("redis-1")
    keep("redis-1-again")
    assert open_run("redis-1", store).path == wanted.path


def test_an_ambiguous_start_is_refused(keep: Keep, store: Path) -> None:
    """The message lists what it could mean."""
    keep("redis-1")
    keep("redis-2")
    with pytest.raises(UsageError, match="'redis' is the start of 2 runs: redis-1, redis-2"):
        open_run("redis", store)


@pytest.mark.parametrize(("name", "words"), [("redis-2", "; did you mean 'redis-1'?"), ("x", ""), ("", "")])
def test_an_unknown_run_is_refused(keep: Keep, store: Path, name: str, words: str) -> None:
    """The message offers the nearest id, and says how to list them."""
    keep("redis-1")
    keep("other-1")
    with pytest.raises(UsageError) as refusal:
        open_run(name, store)
    assert words in refusal.value.message
    assert str(store) in refusal.value.message or name == ""


def test_the_last_of_no_runs_is_refused(store: Path) -> None:
    """An empty store has no last run."""
    with pytest.raises(UsageError, match="no run 'last'"):
        open_run("last", store)


def test_a_running_record_of_a_living_driver_is_running(keep: Keep) -> None:
    """This very process is alive."""
    assert read_run(keep("r", status="running", driver=driver_identity())).status == "running"


WAIT = [sys.executable, "-c", "input()"]


def old_identity(pid: int) -> dict[str, object]:
    """Return a process's identity as versions wrote it that knew its time by the clock only."""
    driver = driver_identity() | {"pid": pid, "started": psutil.Process(pid).create_time()}
    return {name: value for name, value in driver.items() if name not in {"ticks", "boot"}}


def identity_of(process: subprocess.Popen[bytes]) -> dict[str, object]:
    """Return what a driver would have written that is this process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return driver_identity() | {"pid": process.pid, "ticks": int(fields[19])}


def test_a_running_record_whose_driver_ended_is_lost(keep: Keep) -> None:
    """The driver was another process, which has ended, also where nobody has waited for it yet."""
    with subprocess.Popen(WAIT, stdin=subprocess.PIPE) as process:
        folder = keep("r", status="running", driver=identity_of(process))
        assert read_run(folder).status == "running"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.pid_exists(process.pid)
        assert read_run(folder).status == "lost"
    assert read_run(folder).status == "lost"


def test_an_older_record_of_a_driver_is_read(keep: Keep) -> None:
    """It knows when the driver began by the clock."""
    with subprocess.Popen(WAIT, stdin=subprocess.PIPE) as process:
        folder = keep("r", status="running", driver=old_identity(process.pid))
        assert read_run(folder).status == "running"
        process.communicate(b"\n")
    assert read_run(folder).status == "lost"


@pytest.mark.parametrize("other", [{"ticks": 1}, {"boot": "another"}])
def test_a_process_id_that_was_used_again_is_not_the_driver(keep: Keep, other: dict[str, object]) -> None:
    """Another process with the same id began at another time, or after another start of the machine."""
    folder = keep("r", status="running", driver=driver_identity() | other)
    assert read_run(folder).status == "lost"


def test_a_step_of_the_clock_loses_no_run(keep: Keep) -> None:
    """Where the clock is set, all processes seem to have begun at another time."""
    driver = driver_identity()
    folder = keep("r", status="running", driver=driver | {"started": driver["started"] - 100})
    assert read_run(folder).status == "running"


@pytest.mark.parametrize("driver", [{}, {"pid": "x"}, {"pid": 2**40}])
def test_a_record_without_a_usable_driver_is_lost(keep: Keep, driver: dict[str, object]) -> None:
    """Nobody can be found who still runs it."""
    own = {"host": driver_identity()["host"]}
    assert read_run(keep("r", status="running", driver=own | driver)).status == "lost"


def test_a_driver_on_another_machine_is_believed(keep: Keep) -> None:
    """From here nobody can tell whether it lives."""
    folder = keep("r", status="running", driver={"host": "elsewhere", "pid": 1, "started": 0})
    assert read_run(folder).status == "running"


@pytest.mark.parametrize("status", ["succeeded", "failed", "timed_out", "cancelled"])
def test_a_finished_record_is_never_lost(keep: Keep, status: Status) -> None:
    """Whether the driver still lives does not matter then."""
    assert read_run(keep("r", status=status, driver={})).status == status


def test_a_moved_run_knows_where_it_is(keep: Keep, tmp_path: Path) -> None:
    """The path is that of the folder it was read from."""
    folder = keep("r", path="/somewhere/else")
    moved = folder.path.rename(tmp_path / "moved")
    assert read_run(RunFolder(moved)).path == str(moved)


def test_a_broken_record_does_not_hide_the_other_runs(keep: Keep, store: Path) -> None:
    """A run is opened although another folder's run.json cannot be read."""
    wanted = keep("good")
    (keep("broken").path / "run.json").write_text("{", encoding="utf-8")
    assert open_run("good", store).path == wanted.path


def test_a_whole_id_is_opened_without_a_look_at_the_others(
    keep: Keep, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may have ten thousand runs."""
    wanted = keep("redis-1")
    monkeypatch.setattr("windtunnel.run.store._names", lambda _store: pytest.fail("looked"))
    assert open_run("redis-1", store).path == wanted.path


def test_a_list_of_runs_reads_heads_alone(keep: Keep, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run measured is not read for it, and a lost one is called so."""
    keep("a", status="running", driver={"pid": 1, "started": 0.0, "host": platform.node()})
    monkeypatch.setattr(RunFolder, "read_record", lambda _self: pytest.fail("read"))
    ((folder, head),) = find_runs(store)
    assert (folder.run_id, head.run_id, head.status) == ("a", "a", "lost")


def test_many_names_are_not_all_listed(keep: Keep, store: Path) -> None:
    """The first ones say what is meant."""
    for number in range(9):
        keep(f"redis-{number}")
    with pytest.raises(UsageError, match=r"is the start of 9 runs: redis-0, redis-1, redis-2, redis-3, redis-4, …$"):
        open_run("redis", store)


def part(sweep: str, value: int) -> dict[str, object]:
    """Return which run of a sweep a record is."""
    return {"id": sweep, "values": {"run.repeats": value}}


@pytest.mark.parametrize("name", ["s-2", "s-20", "s-2026"])
def test_a_sweep_is_found_by_its_id_or_the_start_of_it(keep: Keep, store: Path, name: str) -> None:
    """Its runs are in the order of their beginning, whatever they are called."""
    keep("s-2026-b", "2026-01-01T00:00:00Z", sweep=part("s-2026", 1))
    keep("s-2026-a", "2026-01-02T00:00:00Z", sweep=part("s-2026", 2))
    keep("other", sweep=part("other-sweep", 1))
    keep("alone")
    assert [folder.run_id for folder in find_sweep(name, store)] == ["s-2026-b", "s-2026-a"]


@pytest.mark.parametrize("name", ["last", "s-1", "s-1-2", "s-1-3", "s-", "s-3", "x", "RUNS/s-1-2"])
def test_what_names_a_run_is_no_sweep(keep: Keep, store: Path, name: str) -> None:
    """A run is found by all that it was found by before there were sweeps; two sweeps are not chosen from."""
    keep("s-1-2", sweep=part("s-1x", 1))
    keep("s-1-3", sweep=part("s-1x", 2))
    keep("s-1-4")
    keep("s-3-1", sweep=part("s-3x", 1))
    assert find_sweep(name.replace("RUNS", str(store)), store) == []

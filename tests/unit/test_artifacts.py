"""What is put into a step's folder, and what is taken out of it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.lab import AS_ANY_USER
from windtunnel.backends.artifacts import collect_artifacts, open_up, remove_tree
from windtunnel.backends.inputs import place_files
from windtunnel.benchmark.checks import check_glob
from windtunnel.errors import PlatformError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What a step wrote: three files, one in a folder."""
    out = tmp_path / "out"
    (out / "deep" / "er").mkdir(parents=True)
    for name in ("a.csv", "b.txt", "deep/er/c.csv"):
        (out / name).write_text(name, encoding="utf-8")
    return out


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where artifacts go."""
    return tmp_path / "artifacts"


def collected(target: Path) -> set[str]:
    """Return the files that were collected."""
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("**",), {"a.csv", "b.txt", "deep/er/c.csv"}),
        (("*.csv",), {"a.csv"}),
        (("**/*.csv",), {"a.csv", "deep/er/c.csv"}),
        (("*.csv", "a.*", "b.txt"), {"a.csv", "b.txt"}),
        (("deep/**",), {"deep/er/c.csv"}),
        (("none*",), set()),
        ((), set()),
    ],
)
def test_what_matches_is_moved(out: Path, target: Path, globs: tuple[str, ...], names: set[str]) -> None:
    """Each file is moved once, with its folders, and counted."""
    assert collect_artifacts(out, globs, target) == len(names)
    assert collected(target) == names
    assert not any((out / name).exists() for name in names)
    assert all((target / name).read_text(encoding="utf-8") == name for name in names)


@pytest.mark.parametrize("globs", [("**",), ("*",), ("*/*",), ("linked/*",), ("**/*.key",)])
def test_links_are_left_alone(out: Path, target: Path, tmp_path: Path, globs: tuple[str, ...]) -> None:
    """Neither a link nor what lies behind a link to a folder is collected: it may be anybody's."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private.key").write_text("secret", encoding="utf-8")
    (out / "linked").symlink_to(outside)
    (out / "link.key").symlink_to(outside / "private.key")
    (out / "broken").symlink_to(tmp_path / "nowhere")
    collect_artifacts(out, globs, target)
    assert (outside / "private.key").exists()
    assert not any("key" in name for name in collected(target))


def test_nothing_outside_of_the_output_folder_is_collected(out: Path, target: Path) -> None:
    """A glob that climbs out finds nothing."""
    neighbour = out.parent / "neighbour.csv"
    neighbour.write_text("not ours", encoding="utf-8")
    assert collect_artifacts(out, ("../*.csv",), target) == 0
    assert neighbour.exists()


def test_a_folder_that_is_not_there_has_no_artifacts(tmp_path: Path, target: Path) -> None:
    """A step may have taken its output folder away."""
    assert collect_artifacts(tmp_path / "none", ("**",), target) == 0


def test_files_and_inputs_are_put_into_a_step(tmp_path: Path) -> None:
    """Files are written as UTF-8, inputs are links, and folders are made."""
    source = tmp_path / "source"
    source.write_text("data", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    place_files(work, {"conf/app.conf": "größe = 1\n", "b": ""}, {"data/in.txt": source})
    assert (work / "conf" / "app.conf").read_text(encoding="utf-8") == "größe = 1\n"
    assert (work / "b").read_text(encoding="utf-8") == ""
    assert (work / "data" / "in.txt").is_symlink()
    assert (work / "data" / "in.txt").read_text(encoding="utf-8") == "data"


LEAVE = """
import sys
from collections.abc import Callable
from pathlib import Path
from windtunnel.backends.artifacts import collect_artifacts, remove_tree
out, target = Path(sys.argv[1]), Path(sys.argv[2])
for name, mode in (("a.csv", 0o000), ("deep/er", 0o555), ("deep", 0o000)):
    (out / name).chmod(mode)
print(collect_artifacts(out, ("**",), target), [str(path.relative_to(target)) for path in sorted(target.rglob("*.*"))])
print((target / "a.csv").read_text())
(target / "deep" / "er").chmod(0o555)
(target / "deep").chmod(0o000)
print(remove_tree(target), target.exists())
"""


def test_modes_keep_nothing_from_being_collected_and_removed(out: Path, target: Path) -> None:
    """A step may leave folders that its user can neither change nor enter."""
    command = [*AS_ANY_USER, sys.executable, "-c", LEAVE, str(out), str(target)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert told == ["3 ['a.csv', 'b.txt', 'deep/er/c.csv']", "a.csv", "None False"]


def test_opening_a_tree_follows_no_link(out: Path, target: Path, tmp_path: Path) -> None:
    """What lies elsewhere keeps its mode."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "key").write_text("secret", encoding="utf-8")
    precious.chmod(0o500)
    (precious / "key").chmod(0o200)
    (out / "folder").symlink_to(precious)
    (out / "key").symlink_to(precious / "key")
    collect_artifacts(out, ("**",), target)
    open_up(out / "folder")

    assert [path.stat().st_mode & 0o777 for path in (precious, precious / "key")] == [0o500, 0o200]


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its path and the system's words."""

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path / "theirs"))

    (tmp_path / "work" / "theirs").mkdir(parents=True)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert remove_tree(tmp_path / "work") == f"{tmp_path}/work/theirs: Operation not permitted"


def failing(error: OSError) -> Callable[..., None]:
    """Return a function that fails so."""

    def fail(*_arguments: object) -> None:
        raise error

    return fail


def test_an_artifact_of_another_users_is_told(out: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are kept."""
    monkeypatch.setattr(shutil, "move", failing(PermissionError(errno.EACCES, "Permission denied")))
    notes: list[str] = []

    assert collect_artifacts(out, ("*.csv",), target, notes.append) == 0
    assert notes == ["artifact a.csv cannot be kept: Permission denied"]


def test_an_artifact_for_which_there_is_no_space_ends_the_run(
    out: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing after it could be kept either."""
    monkeypatch.setattr(shutil, "move", failing(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(PlatformError, match=r"artifact a\.csv cannot be kept: No space left") as failure:
        collect_artifacts(out, ("*.csv",), target)

    assert failure.value.code == "results_lost"


@pytest.mark.parametrize(
    ("glob", "meaning"), [(".", "**"), ("./", "**"), ("./*.csv", "*.csv"), ("a/./b", "a/b"), ("./**", "**")]
)
def test_a_dot_is_the_output_folder(glob: str, meaning: str) -> None:
    """So people write "all of it"."""
    assert check_glob(glob) == meaning

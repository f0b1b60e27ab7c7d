"""What is put into a step's folder, and what is taken out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.backends.inputs import collect_artifacts, place_files


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

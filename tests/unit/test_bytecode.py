"""Compiled packages of one environment serve the next one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import bytecode


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with one module."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = tmp_path / "packages"
    (found / "package").mkdir(parents=True)
    (found / "package" / "module.py").write_text("X = 1\n")
    return found


def compiled(packages: Path) -> Path:
    """Return the one compiled file below a folder."""
    (found,) = packages.rglob("*.pyc")
    return found


def test_what_was_compiled_once_is_the_same_file_in_the_next_environment(packages: Path, tmp_path: Path) -> None:
    """It is linked, since its module is as old."""
    again = tmp_path / "again"
    shutil.copytree(packages, again)
    bytecode.provide(packages, tmp_path / "kept")
    bytecode.provide(again, tmp_path / "kept")
    assert compiled(again).samefile(compiled(packages))


def test_a_module_that_differs_is_compiled_and_changes_no_other_environment(packages: Path, tmp_path: Path) -> None:
    """Its file takes the place of the link."""
    bytecode.provide(packages, tmp_path / "kept")
    before = compiled(packages).read_bytes()
    other = tmp_path / "other"
    shutil.copytree(packages, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "package" / "module.py").write_text("X = 22\n")
    os.utime(other / "package" / "module.py", (1, 1))
    bytecode.provide(other, tmp_path / "kept")
    assert compiled(other).read_bytes() != before
    assert compiled(packages).read_bytes() == before == compiled(tmp_path / "kept").read_bytes()


def test_a_module_that_cannot_be_compiled_is_left(packages: Path, tmp_path: Path) -> None:
    """A template, or a module for a newer Python, is nothing that anybody imports."""
    (packages / "package" / "template.py").write_text("{{ name }} =\n")
    bytecode.provide(packages, tmp_path / "kept")
    assert compiled(packages).name.startswith("module.")


def test_another_lock_has_other_files() -> None:
    """So has another Python, whose bytecode differs."""
    assert bytecode.key(b"a==1") == bytecode.key(b"a==1") != bytecode.key(b"a==2")

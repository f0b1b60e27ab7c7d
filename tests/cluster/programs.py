"""The programs of the cluster: what ``programs.toml`` says, and the key of all that they are built from."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

HERE = Path(__file__).parent
# A change of any of these, even of a comment, has every program built anew, for 40 minutes.
RECIPE = ("programs.toml", "build.py", "go/*/*")


@dataclass(frozen=True)
class Program:
    """One program to build."""

    name: str
    package: str

    @property
    def executable(self) -> str:
        """What Go calls it: the last part of its package that is no major version."""
        *_, before, last = self.package.split("/")
        return before if re.fullmatch(r"v[0-9]+", last) else last


@dataclass(frozen=True)
class Group:
    """The programs of one module, of one version."""

    name: str
    module: str
    version: str
    programs: tuple[Program, ...]
    stamps: tuple[str, ...] = ()
    """Variables that the linker sets: how the programs know their version."""
    locked: bool = False
    """Built by a go.mod of ours, in ``go/NAME``; else by the module's own."""

    @property
    def folder(self) -> Path:
        """Where the group's own go.mod lies."""
        return HERE / "go" / self.name

    @property
    def linker_flags(self) -> str:
        """No symbols, and the stamps."""
        return " ".join(["-s -w", *(f"-X {stamp}" for stamp in self.stamps)])


@cache
def groups() -> tuple[Group, ...]:
    """Return the groups in the order in which they are built."""
    tables = tomllib.loads((HERE / "programs.toml").read_text())
    return tuple(group_from(name, table) for name, table in tables.items())


def group_from(name: str, table: dict[str, object]) -> Group:
    """Make a group of a table of ``programs.toml``."""
    given = {"packages": (), "names": {}, "stamps": (), "lock": False} | table
    module, version = str(given["module"]), str(given["version"])
    major, minor, _ = version.removeprefix("v").split(".", 2)
    return Group(
        name=name,
        module=module,
        version=version,
        programs=tuple(program_from(module, package, name) for package in given["packages"]),  # type: ignore[attr-defined]
        stamps=tuple(stamp.format(version=version, major=major, minor=minor) for stamp in given["stamps"]),  # type: ignore[attr-defined]
        locked=bool(given["lock"]),
    )


def program_from(module: str, package: str, group: str) -> Program:
    """Name a program after its folder, and after its group if it lies at the module's root."""
    if package == ".":
        return Program(group, module)
    return Program(PurePosixPath(package).name, f"{module}/{package}")


def version_of(group: str) -> str:
    """Return the version of a group, by its name."""
    return next(each.version for each in groups() if each.name == group)


def names() -> list[str]:
    """Return the names of all programs."""
    return [program.name for group in groups() for program in group.programs] + ["pause"]


def key_of(files: dict[str, bytes]) -> str:
    """Return a short key of files' names and contents; their order does not matter."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:12]


def contents(*patterns: str) -> dict[str, bytes]:
    """Read the files of this folder that match."""
    found = {path for pattern in patterns for path in HERE.glob(pattern) if path.is_file()}
    return {str(path.relative_to(HERE)): path.read_bytes() for path in found}


@cache
def build_key() -> str:
    """Return the key of the programs: versions, sums and how they are built."""
    return key_of(contents(*RECIPE))


@cache
def cluster_key() -> str:
    """Return the key of a cluster: its programs, and what starts the nodes and the add-ons."""
    return key_of(contents(*RECIPE, "nodes/*", "manifests/*"))

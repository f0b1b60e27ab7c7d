"""Builds the programs into the cache folder, each once for its versions and this recipe."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cluster import places, programs
from cluster.programs import Group, Program
from cluster.shell import Failed, run

_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
_UI = "ui/dist/app/index.html"
_MANIFESTS = ("base/crds/full", "base/workflow-controller", "cluster-install-no-crds/workflow-controller-rbac")
_SIGNALS = "workflow/executor/osspecific"


def build(say: Callable[[str], None]) -> None:
    """Build what is not there yet; a program appears under its name when it is whole.

    Raises:
        Failed: There is no Go, or a program does not build.
    """
    missing = missing_programs()
    if not missing:
        return
    if shutil.which("go") is None:
        raise Failed("the cluster's programs are built with Go: install Go 1.26 or newer")
    with places.locked(programs.build_key()):
        missing = missing_programs()
        start = time.monotonic()
        places.binary("").mkdir(parents=True, exist_ok=True)
        say(f"building {len(missing)} programs into {places.built()}; the first time about 25 minutes on 2 cores")
        for group in programs.groups():
            build_group(group, missing, say)
        if "pause" in missing:
            timed("pause", say, lambda: go_build(programs.HERE / "go" / "pause", ".", "pause"))
        if not argo_manifests().is_dir():
            copy_argo_manifests()
        say(f"built in {time.monotonic() - start:.0f} s")


def missing_programs() -> list[str]:
    """Return what is not built yet."""
    missing = [name for name in programs.names() if not places.binary(name).is_file()]
    return missing if missing or argo_manifests().is_dir() else ["the manifests of Argo"]


def build_group(group: Group, missing: list[str], say: Callable[[str], None]) -> None:
    """Build the programs of a group that are missing."""
    for program in group.programs:
        if program.name in missing:
            timed(f"{program.name} {group.version}", say, lambda made=program: build_program(group, made))  # type: ignore[misc]


def timed(what: str, say: Callable[[str], None], act: Callable[[], None]) -> None:
    """Do something and say how long it took."""
    start = time.monotonic()
    act()
    say(f"  {what}: {time.monotonic() - start:.0f} s")


def build_program(group: Group, program: Program) -> None:
    """Build one program, by our go.mod or by its module's own."""
    if group.name == "argo":
        with tempfile.TemporaryDirectory() as folder:
            modfile = patched_argo(group, Path(folder))
            go_build(group.folder, program.package, program.name, "-ldflags", group.linker_flags, f"-modfile={modfile}")
    elif group.locked:
        go_build(group.folder, program.package, program.name, "-ldflags", group.linker_flags)
    else:
        go_install(group, program)


def go_build(folder: Path, package: str, name: str, *flags: str) -> None:
    """Build a package of a module of ours."""
    part = places.binary(f".{name}.{os.getpid()}")
    run(["go", "build", "-trimpath", *flags, "-o", part, package], cwd=folder, env=_SETTINGS)
    part.rename(places.binary(name))


def go_install(group: Group, program: Program) -> None:
    """Build a package by its module's own go.mod, which the checksum database vouches for."""
    with tempfile.TemporaryDirectory(dir=places.built()) as folder:
        command = ["go", "install", "-trimpath", "-ldflags", group.linker_flags, f"{program.package}@{group.version}"]
        run(command, env=_SETTINGS | {"GOBIN": folder})
        (Path(folder) / program.package.rsplit("/", 1)[-1]).rename(places.binary(program.name))


def source_of(group: Group) -> Path:
    """Return the folder of a group's module in Go's cache."""
    return Path(json.loads(run(["go", "mod", "download", "-json", group.module], cwd=group.folder))["Dir"])


def patched_argo(group: Group, folder: Path) -> Path:
    """Copy Argo's module and add what a module's zip cannot have: a symbolic link, and the built UI.

    Returns:
        The go.mod that has the copy in the module's place.
    """
    copy = folder / "source"
    shutil.copytree(source_of(group), copy, copy_function=shutil.copyfile)
    for directory in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        directory.chmod(0o755)
    (copy / _UI).parent.mkdir(parents=True, exist_ok=True)
    (copy / _UI).write_text("<html></html>\n")
    shutil.copyfile(copy / _SIGNALS / "signal_darwin.go", copy / _SIGNALS / "signal_linux.go")
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(group.folder / name, folder / name)
    run(["go", "mod", "edit", f"-replace={group.module}={copy}", folder / "go.mod"])
    return folder / "go.mod"


def argo_manifests() -> Path:
    """Return the folder with Argo's definitions, roles and Deployment, as its authors publish them."""
    return places.built() / "argo"


def copy_argo_manifests() -> None:
    """Keep what the cluster needs of them, so that Go's cache may be emptied."""
    argo = next(group for group in programs.groups() if group.name == "argo")
    part = places.built() / f".argo.{os.getpid()}"
    for name in _MANIFESTS:
        shutil.copytree(source_of(argo) / "manifests" / name, part / name, copy_function=shutil.copyfile)
        for folder in [part / name, *(part / name).rglob("*/")]:
            folder.chmod(0o755)
    part.rename(argo_manifests())

"""Builds the programs into the cache folder, each once for its versions and this recipe."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cluster import places, programs
from cluster.programs import Group, Program
from cluster.shell import Failed, run

GO = (1, 26)
"""The oldest Go that builds all of the programs."""
_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
_UI = "ui/dist/app/index.html"
_MANIFESTS = ("base/crds/full", "base/workflow-controller", "cluster-install-no-crds/workflow-controller-rbac")
_SIGNALS = "workflow/executor/osspecific"


def build(say: Callable[[str], None]) -> None:
    """Build what is not there yet; a program appears under its name when it is whole.

    Raises:
        Failed: There is no Go, or a program does not build.
    """
    if not missing_programs():
        return
    require_go()
    with places.locked(programs.build_key()):
        # Whoever had the lock before may have built them.
        if missing := missing_programs():
            build_missing(missing, say)


def require_go() -> None:
    """See to it that there is a Go that can build the programs.

    Raises:
        Failed: There is none, or an older one.
    """
    found = run(["go", "env", "GOVERSION"]).strip() if shutil.which("go") else "none"
    version = re.search(r"go([0-9]+)\.([0-9]+)", found)
    if version is None or tuple(map(int, version.groups())) < GO:
        wanted = ".".join(map(str, GO))
        raise Failed(f"the cluster's programs are built with Go {wanted} or newer; in PATH there is {found}")


def build_missing(missing: Sequence[str], say: Callable[[str], None]) -> None:
    """Build some programs, and say how long each one took."""
    start = time.monotonic()
    places.binary("").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(parts(), ignore_errors=True)
    parts().mkdir()
    say(f"building into {places.built()}: {len(missing)} programs; about 25 minutes on 2 cores with nothing cached")
    for group in programs.groups():
        if wanted := [program for program in group.programs if program.name in missing]:
            names = ", ".join(program.name for program in wanted)
            timed(f"{group.name} {group.version}: {names}", say, partial(build_programs, group, wanted))
    if "pause" in missing:
        timed("pause", say, build_pause)
    if not argo_manifests().is_dir():
        copy_argo_manifests()
    shutil.rmtree(parts())
    say(f"built in {time.monotonic() - start:.0f} s")


def missing_programs() -> list[str]:
    """Return what is not built yet."""
    missing = [name for name in programs.names() if not places.binary(name).is_file()]
    return missing if missing or argo_manifests().is_dir() else ["the manifests of Argo"]


def timed(what: str, say: Callable[[str], None], act: Callable[[], None]) -> None:
    """Do something and say how long it took."""
    start = time.monotonic()
    act()
    say(f"  {what}: {time.monotonic() - start:.0f} s")


def build_programs(group: Group, wanted: Sequence[Program]) -> None:
    """Build programs of one module, by our go.mod or by its module's own.

    All at once, so that no core is idle while one program's last packages are compiled, or it is linked.
    """
    flags = ["-trimpath", "-ldflags", group.linker_flags]
    if group.name == "argo":
        flags.append(f"-modfile={patched_argo(group)}")
    packages = [program.package for program in wanted]
    if group.locked:
        run(["go", "build", *flags, "-o", f"{parts()}/", *packages], cwd=group.folder, env=_SETTINGS)
    else:
        # By the module's own go.mod, which Go's checksum database vouches for.
        versioned = [f"{package}@{group.version}" for package in packages]
        run(["go", "install", *flags, *versioned], env=_SETTINGS | {"GOBIN": str(parts())})
    for program in wanted:
        (parts() / program.executable).rename(places.binary(program.name))


def build_pause() -> None:
    """Build what holds a pod's namespaces."""
    run(["go", "build", "-trimpath", "-o", parts() / "pause", "."], cwd=programs.HERE / "go/pause", env=_SETTINGS)
    (parts() / "pause").rename(places.binary("pause"))


def parts() -> Path:
    """Return the folder of what is not whole yet."""
    return places.built() / "part"


def source_of(group: Group) -> Path:
    """Return the folder of a group's module in Go's cache."""
    return Path(json.loads(run(["go", "mod", "download", "-json", group.module], cwd=group.folder))["Dir"])


def copy_writable(source: Path, target: Path) -> None:
    """Copy a folder of Go's cache, where everything is read-only."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in [target, *target.rglob("*/")]:
        folder.chmod(0o755)


def patched_argo(group: Group) -> Path:
    """Copy Argo's module and add what a module's zip cannot have: a symbolic link, and the built UI.

    Returns:
        The go.mod that has the copy in the module's place.
    """
    folder = parts() / "argo-source"
    modfile, copy = folder / "go.mod", folder / "module"
    if not modfile.is_file():
        copy_writable(source_of(group), copy)
        (copy / _UI).parent.mkdir(parents=True, exist_ok=True)
        (copy / _UI).write_text("<html></html>\n")
        shutil.copyfile(copy / _SIGNALS / "signal_darwin.go", copy / _SIGNALS / "signal_linux.go")
        for name in ("go.sum", "go.mod"):
            shutil.copyfile(group.folder / name, folder / name)
        run(["go", "mod", "edit", f"-replace={group.module}={copy}", modfile])
    return modfile


def argo_manifests() -> Path:
    """Return the folder with Argo's definitions, roles and Deployment, as its authors publish them."""
    return places.built() / "argo"


def copy_argo_manifests() -> None:
    """Keep what the cluster needs of them, so that Go's cache may be emptied."""
    argo = next(group for group in programs.groups() if group.name == "argo")
    for name in _MANIFESTS:
        copy_writable(source_of(argo) / "manifests" / name, parts() / "argo" / name)
    (parts() / "argo").rename(argo_manifests())

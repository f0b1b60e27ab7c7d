"""Renews ``go/*/go.mod`` and ``go.sum`` from ``programs.toml``."""

from __future__ import annotations

import json
from typing import Any

from cluster import programs
from cluster.shell import run


def renew() -> None:
    """Write go.mod and go.sum of each group that needs its own."""
    for group in programs.groups():
        if group.locked:
            renew_group(group)


def renew_group(group: programs.Group) -> None:
    """Require the module, with its replacements, and let Go find the rest."""
    for name in ("go.mod", "go.sum"):
        (group.folder / name).unlink(missing_ok=True)
    own = json.loads(run(["go", "mod", "download", "-json", f"{group.module}@{group.version}"]))["GoMod"]
    own_mod = json.loads(run(["go", "mod", "edit", "-json", own]))
    edits = [f"-replace={old}={new}" for old, new in replacements(own_mod, group.version).items()]
    for command in (
        ["mod", "init", f"windtunnel/cluster/{group.name}"],
        ["mod", "edit", f"-go={minor(own_mod['Go'])}", f"-require={group.module}@{group.version}", *edits],
        # Packages that only tests and other systems need may be missing: what matters is what is built.
        ["mod", "tidy", "-e"],
        ["mod", "edit", "-toolchain=none"],
    ):
        run(["go", *command], cwd=group.folder)


def minor(version: str) -> str:
    """Return the first patch of a Go version: any later one does."""
    return ".".join(version.split(".")[:2]) + ".0"


def replacements(go_mod: dict[str, Any], version: str) -> dict[str, str]:
    """Return what a module that is not the main one needs replaced: Go reads the main module's replacements only.

    Folders of the module's own repository are left to the version that is required; Kubernetes requires its own
    as v0.0.0, and publishes them as v0.MINOR.PATCH.
    """
    found = {}
    for each in go_mod.get("Replace") or []:
        if "Version" in each["New"]:
            found[each["Old"]["Path"]] = f"{each['New']['Path']}@{each['New']['Version']}"
    for each in go_mod["Require"]:
        if each["Version"] == "v0.0.0":
            found[each["Path"]] = f"{each['Path']}@v0.{version.split('.', 1)[1]}"
    return found

"""Installs Python packages into an environment of their own; run by the interpreter that is to have them.

Run by path as ``install_packages.py TARGET add|alone REQUIREMENT...``, on this machine or in a container, so it
has the standard library alone and suits old interpreters. ``add``: the environment also sees what the
interpreter has. pip is the interpreter's own, which need not be in the environment, or comes from
*ensurepip*. ``packages.json`` is written last, with the packages and the ``PATH`` here: with it, the environment
is whole. ``$WINDTUNNEL_ARCHIVE`` is the archive of it that is made then, if one is wanted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import site
import subprocess
import sys
import tarfile
import venv
from importlib import metadata
from pathlib import Path

NO_PIP = "this Python has neither pip nor ensurepip"
_DONE = "packages.json"
# Only pip itself is found where it lies: what else is there is not part of the environment.
_RUN_PIP = """
import runpy, sys
from importlib.machinery import PathFinder
home = sys.argv.pop(1)
class Pip:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [home], target) if name == "pip" else None
sys.meta_path.insert(0, Pip)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def pip_command(python: str) -> list[str] | None:
    """Return the command that runs pip for an environment's interpreter, or None if there is no pip."""
    found = importlib.util.find_spec("pip")
    if found and found.origin:
        return [python, "-c", _RUN_PIP, str(Path(found.origin).parents[1])]
    made = subprocess.run([python, "-m", "ensurepip"], capture_output=True, check=False)  # noqa: S603 - Python's own
    return [python, "-m", "pip"] if made.returncode == 0 else None


def packages_in(folder: Path) -> dict[str, str]:
    """Return the packages of a folder with their versions."""
    return {item.metadata["Name"]: item.version for item in metadata.distributions(path=[str(folder)])}


def main() -> int:
    """Make the environment; return pip's exit status."""
    target, mode, *requirements = sys.argv[1:]
    archive = os.environ.get("WINDTUNNEL_ARCHIVE")
    venv.create(target, symlinks=True, with_pip=False)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages, python = Path(target, "lib", version, "site-packages"), str(Path(target, "bin", "python"))
    if mode == "add":
        (packages / "interpreter.pth").write_text("\n".join([*site.getsitepackages(), ""]), encoding="utf-8")
    pip = pip_command(python)
    if pip is None:
        sys.stdout.write(f"{NO_PIP}\n")
        return 1
    own = packages_in(packages)  # of ensurepip
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    # A user's setting that leads elsewhere would be obeyed.
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONPATH", "PYTHONHOME"}
    env = {name: value for name, value in os.environ.items() if name not in elsewhere}
    env["PIP_USER"] = "0"
    done = subprocess.run([*pip, "install", *options, *requirements], env=env, check=False)  # noqa: S603 - pip
    if done.returncode == 0:
        found = {name: version for name, version in packages_in(packages).items() if name not in own}
        told = {"packages": found, "path": os.environ.get("PATH", os.defpath)}
        Path(target, _DONE).write_text(json.dumps(told), encoding="utf-8")
        if archive:
            is_packed = archive.endswith("gz")
            with tarfile.open(archive, "w:gz", compresslevel=1) if is_packed else tarfile.open(archive, "w") as file:
                file.add(target, Path(target).name)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

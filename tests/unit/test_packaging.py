"""What is built from this project, and what the project says of itself."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from windtunnel.analysis import REPORT_MODULES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheels_only_import_package_is_windtunnel(wheel: zipfile.ZipFile) -> None:
    """Nothing generic such as `flows` or `tests` lands in anybody's site-packages."""
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"windtunnel"}


def test_samples_and_templates_ship_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """`init`, `report` and `install` work after a plain installation."""
    names = set(wheel.namelist())
    samples = {f"windtunnel/content/flows/{path.name}" for path in (ROOT / "flows").glob("*.toml")}

    manifests = {f"windtunnel/content/containers/prefect/{name}.yaml" for name in ("server", "worker")}

    assert samples | manifests <= names
    assert {"windtunnel/analysis/templates/report.html.j2", "windtunnel/py.typed"} <= names


def test_the_core_installs_small() -> None:
    """Engines and cloud clients are extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {line.split(">")[0] for line in project["dependencies"]}

    assert core == {"cronsim", "psutil", "pydantic", "regex", "rich", "tenacity", "typer"}
    assert {"prefect", "argo", "kubernetes", "docker", "aws", "report", "parquet", "samples"} == set(
        project["optional-dependencies"]
    )


def test_the_wheel_works_without_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked elsewhere, `init` finds its sample."""
    wheel.extractall(tmp_path / "site")
    result = subprocess.run(
        [sys.executable, "-c", "from windtunnel.cli import main; main()", "init", "single-node"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "single-node.toml").read_text() == (ROOT / "flows" / "single_node.toml").read_text()


def test_what_needs_the_extra_report_asks_for_all_of_it() -> None:
    """A library that the extra has and nobody looks for would end a command with a traceback."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {line.split(">")[0] for line in extras["report"]} == set(REPORT_MODULES)

"""What has to be touched for a new backend and a new strategy: both are added here, to a copy of the source."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.needs import package

ROOT = Path(__file__).parents[2]
ONCE = ("--repeats", "1", "--set", "run.warmup=0")
PARTS = ("src/windtunnel", "flows", "argo_templates")
BACKEND = """
from windtunnel.backends import BACKENDS
from windtunnel.backends.process import ProcessBackend


class Sheet:
    run_id = "a-run"
    is_there = True

    def __str__(self):
        return "sheet 1 of a-run"


class Sheets:
    def __init__(self):
        self.sheet = Sheet()

    def find(self, run_id=None):
        return [self.sheet] if self.sheet.is_there else []

    def remove(self, found):
        self.sheet.is_there = False

    def is_attended(self, one):
        return False


class PaperBackend(ProcessBackend):
    name = "paper"
    traits = BACKENDS[name]

    def resources(self):
        return Sheets()
"""
BACKEND_ROW = """
    "paper": Traits(where="windtunnel.backends.paper:PaperBackend", steps="sheets", images=False),
"""
STRATEGY = """
from windtunnel.strategies.build import build_job, build_plan


def plan(benchmark):
    return build_plan(benchmark, (build_job(benchmark),))
"""
STRATEGY_ROW = """
    "alone-again": Strategy("windtunnel.strategies.alone_again:plan", servers=False),
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the source, which can be changed and run."""

    folder: Path

    def write(self, path: str, text: str) -> None:
        """Write a new file."""
        file = self.folder / path
        assert not file.exists()
        file.write_text(text, encoding="utf-8")

    def insert(self, path: str, after: str, text: str) -> None:
        """Put lines after a line of a file."""
        file = self.folder / path
        before, found, rest = file.read_text(encoding="utf-8").partition(f"\n{after}\n")
        assert found
        file.write_text(before + found + text.lstrip("\n") + rest, encoding="utf-8")

    def call(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run Python of the copy, in a folder of its own."""
        place = self.folder / "here"
        place.mkdir(exist_ok=True)
        env = {**os.environ, "PYTHONPATH": f"{self.folder / 'src'}:{self.folder}"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # each call would compile the copy again
        done = subprocess.run(
            [sys.executable, *arguments], cwd=place, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, done.stderr
        return done

    def windtunnel(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the command line of the copy."""
        return self.call("-m", "windtunnel", *arguments, code=code)

    def json(self, *arguments: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.windtunnel(*arguments, "--json").stdout)

    def touched(self) -> set[str]:
        """Return the files that are not as in the source."""
        return {name for part in PARTS for name in _differences(filecmp.dircmp(ROOT / part, self.folder / part), part)}


def _differences(found: filecmp.dircmp[str], path: str) -> Iterator[str]:
    yield from (f"{path}/{name}" for name in (*found.left_only, *found.right_only, *found.diff_files))
    for name, below in found.subdirs.items():
        yield from _differences(below, f"{path}/{name}")


@pytest.fixture
def source(tmp_path: Path) -> Copy:
    """A copy in a temporary folder."""
    for part in (*PARTS, "tests/golden"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(tmp_path)


def test_a_backend_is_its_package_and_a_row(source: Copy) -> None:
    """It runs, and everything that names backends names it: help, doctor, refusals, Prefect's form, reap."""
    source.write("src/windtunnel/backends/paper.py", BACKEND)
    source.insert("src/windtunnel/backends/__init__.py", "BACKENDS = {", BACKEND_ROW)
    assert source.touched() == {"src/windtunnel/backends/paper.py", "src/windtunnel/backends/__init__.py"}

    source.windtunnel("init", "single-node")
    record = source.json("run", "single-node.toml", *ONCE, "--backend", "paper")
    assert (record["backend"], record["status"]) == ("paper", "succeeded")
    assert "paper" in source.windtunnel("run", "--help").stdout
    assert source.json("plan", "single-node.toml", "--backend", "paper")["documents"][0]["name"] == "client.1"
    assert {"kind": "backend", "name": "paper", "works": True, "reason": None} in source.json("doctor")
    sealed = ("run", "single-node.toml", "--set", "client.isolation=sealed")
    assert "use --backend paper, docker or kubernetes" in source.windtunnel(*sealed, code=2).stderr
    assert "sheet 1 of a-run" in source.json("reap")["found"]
    package("prefect")
    form = "from windtunnel.engines.prefect.flows import BackendName; assert 'paper' in BackendName.__args__"
    source.call("-c", form)


def test_a_strategy_is_its_plan_a_row_and_a_sample(source: Copy) -> None:
    """It runs, and everything that names strategies names it: the format, its schema, help, Prefect's flows."""
    sample = (source.folder / "flows" / "single_node.toml").read_text(encoding="utf-8")
    source.write("src/windtunnel/strategies/alone_again.py", STRATEGY)
    source.insert("src/windtunnel/strategies/__init__.py", "STRATEGIES = {", STRATEGY_ROW)
    source.write("flows/alone_again.toml", sample.replace('"single-node"', '"alone-again"'))
    assert source.touched() == {
        "src/windtunnel/strategies/alone_again.py",
        "src/windtunnel/strategies/__init__.py",
        "flows/alone_again.toml",
    }

    source.windtunnel("init", "alone-again")
    assert source.json("run", "alone-again.toml", *ONCE)["strategy"] == "alone-again"
    schema = json.loads(source.windtunnel("schema").stdout)
    assert "alone-again" in schema["$defs"]["Info"]["properties"]["strategy"]["enum"]
    assert "alone-again" in source.windtunnel("init", "--help").stdout
    package("hera", "argo")
    package("prefect")
    source.call(str(source.folder / "tests" / "golden" / "renew.py"))
    assert source.touched() >= {
        "flows/alone_again.py",
        "argo_templates/alone_again.py",
        "argo_templates/alone_again.yaml",
    }
    source.call("-c", "from flows.alone_again import alone_again; assert alone_again.name == 'alone-again'")

"""What is imported when and where: no command waits for what it does not use, and a library has one home."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.needs import package
from windtunnel.backends import BACKENDS

ROOT = Path(__file__).parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
PROTECTED = {
    library
    for contract in LINTER["contracts"]
    if contract["type"] == "protected"
    for library in contract["protected_modules"]
}
"""Libraries that have one home, which the linter's contracts name."""
ANYWHERE = {"cronsim", "psutil", "pydantic", "regex", "tenacity"}
"""Libraries that are small, and that any module may use."""
HEAVY = PROTECTED - {"rich", "typer"}
CALL = """
import sys
from windtunnel.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code
"""
SHOW = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
# What these commands have no use for.
NEEDLESS = {
    "--help": {"pydantic", "psutil", "tenacity", "regex", "cronsim", "tomllib"},
    "plan": {"rich", "psutil", "tenacity", "cronsim"},
    "validate": {"rich", "psutil", "tenacity", "cronsim"},
}


def modules_after(folder: Path, code: str, *arguments: str) -> set[str]:
    """Return the names of the modules that a fresh Python has loaded after some code."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{SHOW}", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(result.stderr))


@pytest.mark.parametrize("command", [None, "--help", "plan", "validate"])
def test_the_command_line_imports_nothing_heavy(tmp_path: Path, single_node: str, command: str | None) -> None:
    """Neither `import windtunnel.cli` nor `windtunnel plan` loads an engine, a platform's client or pandas."""
    (tmp_path / "b.toml").write_text(single_node, encoding="utf-8")
    code, arguments = (CALL, [command]) if command else ("import windtunnel.cli", [])
    loaded = modules_after(tmp_path, code, *arguments, *(["b.toml"] if command in {"plan", "validate"} else []))
    packages = {name.partition(".")[0] for name in loaded}
    assert "windtunnel.cli.app" in loaded
    assert packages & (HEAVY | NEEDLESS[command or "--help"]) == set()
    assert {name for name in loaded if name.startswith(("windtunnel.engines.", "windtunnel.run."))} == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_preview_imports_no_platforms_client(tmp_path: Path, single_node: str, backend: str) -> None:
    """What a backend would make is found without a library of its platform's."""
    text = single_node.replace("[client]", '[client]\nimage = "i"')
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    loaded = modules_after(tmp_path, CALL, "plan", "b.toml", "--backend", backend, "--json")
    assert "windtunnel.backends.preview" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


@pytest.mark.long
def test_every_library_has_a_home_or_may_be_used_anywhere() -> None:
    """One that comes new has to be decided on: most are an extra's, and slow to import."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    libraries = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"windtunnel"}

    assert libraries == PROTECTED | ANYWHERE


def test_a_new_module_that_imports_a_library_outside_its_home_is_refused(tmp_path: Path) -> None:
    """Whatever it is called and wherever it is, and also if the import is a late one: no list has to name it."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    imports = [f"    import {library}\n" for library in PROTECTED]
    for place in ("", "engines/", "backends/"):
        new = tmp_path / "src" / "windtunnel" / place / "new.py"
        new.write_text(f"def late() -> None:\n{''.join(imports)}", encoding="utf-8")
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"],
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 1
    for library in PROTECTED:
        for module in ("windtunnel.new", "windtunnel.engines.new", "windtunnel.backends.new"):
            assert f"- {module} -> {library} (l." in result.stdout


def test_backends_know_no_engine() -> None:
    """One that makes pods itself hands in how: its name, and its own words, stand in its folder alone."""
    backends = ROOT / "src" / "windtunnel" / "backends"
    words = re.compile(r"argo|hera|prefect|workflow", re.IGNORECASE)

    assert [path for path in backends.rglob("*.py") if words.search(path.read_text(encoding="utf-8"))] == []


def test_a_parser_is_imported_when_a_benchmark_names_it(tmp_path: Path, single_node: str) -> None:
    """The others would make `plan` slower: each compiles its patterns."""
    text = single_node + '\n[[metrics]]\nparser = "wrk"\nname = "requests"\n'
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    loaded = modules_after(tmp_path, CALL, "plan", "b.toml")
    parsers = {name.rpartition(".")[2] for name in loaded if name.startswith("windtunnel.parsers.")}
    assert parsers == {"base", "text", "wrk"}


@pytest.mark.long
def test_a_flow_loads_no_clusters_client_before_it_needs_one(tmp_path: Path) -> None:
    """Nor does what makes pools of processes: there may be none, and it takes a second at each flow run's start."""
    package("prefect")
    names = ("benchmark_deployment", "flows", "install", "readiness")
    code = "\n".join(f"import windtunnel.engines.prefect.{name}" for name in names)
    loaded = {name.partition(".")[0] for name in modules_after(tmp_path, code)}

    assert "prefect" in loaded
    assert loaded.isdisjoint({"kubernetes", "kubernetes_asyncio", "prefect_kubernetes"})

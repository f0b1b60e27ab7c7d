"""What is imported when: a command must not wait for what it does not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"prefect", "hera", "kubernetes", "docker", "boto3", "pandas", "matplotlib", "jinja2", "scipy", "numpy"}
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

"""What is imported when: a command must not wait for what it does not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"prefect", "hera", "kubernetes", "docker", "boto3", "pandas", "matplotlib", "jinja2", "scipy", "numpy"}
PLAN = """
from windtunnel.cli import main
try:
    main(["plan", "b.toml"])
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize("code", ["import windtunnel.cli", PLAN], ids=["import", "plan"])
def test_the_command_line_imports_nothing_heavy(tmp_path: Path, single_node: str, code: str) -> None:
    """Neither `import windtunnel.cli` nor `windtunnel plan` loads an engine, a platform's client or pandas."""
    (tmp_path / "b.toml").write_text(single_node, encoding="utf-8")
    show = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(json.loads(result.stderr))
    assert "windtunnel.cli.app" in loaded
    assert {name for name in loaded if name.partition(".")[0] in HEAVY} == set()
    assert {name for name in loaded if name.startswith("windtunnel.engines.")} == set()

"""Every file in `bad` breaks one rule; its first lines say which words have to be in the refusal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parent / "bad").glob("*.toml"))
EXPECT = "# expect:"
REFUSALS = {"bad_descriptor", "bad_plan", "unknown_service", "unsupported"}


def expected_words(file: Path) -> list[str]:
    """Return what the refusal of `file` has to say."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.removeprefix(EXPECT).strip() for line in lines if line.startswith(EXPECT)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_benchmark_is_refused_before_anything_starts(file: Path, tmp_path: Path) -> None:
    """Exit 2, one JSON object without a run id, and words that name the mistake."""
    result = subprocess.run(
        [sys.executable, "-m", "windtunnel", "run", str(file), "--json"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    words = expected_words(file)
    assert words
    assert [word for word in words if word not in result.stderr] == [], result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 2
    record = json.loads(result.stdout)
    assert record["run_id"] is None
    assert record["exit_code"] == 2
    assert record["cause"]["code"] in REFUSALS
    if record["cause"]["code"] == "bad_descriptor":
        assert file.name in result.stderr
    assert list(tmp_path.iterdir()) == []

"""Every file in `bad` breaks one rule; its first lines say which words have to be in the refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windtunnel.cli import main

FILES = sorted((Path(__file__).parent / "bad").glob("*.toml"))
EXPECT = "# expect:"
REFUSALS = {"bad_descriptor", "bad_plan", "unknown_service", "unsupported"}


def expected_words(file: Path) -> list[str]:
    """Return what the refusal of `file` has to say."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.removeprefix(EXPECT).strip() for line in lines if line.startswith(EXPECT)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_benchmark_is_refused_before_anything_starts(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one JSON object without a run id, and words that name the mistake."""
    monkeypatch.chdir(tmp_path)
    # In this process: two hundred interpreters would take a minute to start.
    with pytest.raises(SystemExit) as ended:
        main(["run", str(file), "--json"])
    stdout, stderr = capsys.readouterr()

    words = expected_words(file)
    assert words
    assert [word for word in words if word not in stderr] == [], stderr
    assert "Traceback" not in stderr
    assert ended.value.code == 2
    record = json.loads(stdout)
    assert record["run_id"] is None
    assert record["exit_code"] == 2
    assert record["cause"]["code"] in REFUSALS
    if record["cause"]["code"] == "bad_descriptor":
        assert file.name in stderr
    assert list(tmp_path.iterdir()) == []

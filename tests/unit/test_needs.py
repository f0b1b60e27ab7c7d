"""What a test needs of the machine is skipped where it lacks, and fails where it is required."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import needs

TESTS = Path(__file__).parents[1]


def test_a_package_that_lacks_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says what is not installed."""
    monkeypatch.setattr(needs, "REQUIRED", set())
    with pytest.raises(pytest.skip.Exception, match="nonesuch is not installed"):
        needs.package("nonesuch.part", "nonesuch")
    monkeypatch.setattr(needs, "REQUIRED", {"nonesuch"})
    with pytest.raises(pytest.fail.Exception, match="nonesuch is not installed, and WINDTUNNEL_REQUIRE asks for it"):
        needs.package("nonesuch")
    assert needs.package("json").__name__ == "json"


@pytest.mark.parametrize("reason", ["('x.py', 3, 'Skipped: nonesuch is not installed')", "no reason"])
def test_a_skip_that_nobody_expects_is_one_only_where_all_is_required(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """On a person's machine any reason will do."""
    monkeypatch.setattr(needs, "REQUIRED", set())
    assert not needs.is_unexpected(reason)
    monkeypatch.setattr(needs, "REQUIRED", {"docker"})
    assert needs.is_unexpected(reason)
    assert not needs.is_unexpected(f"('x.py', 3, 'Skipped: {needs.EXPECTED_SKIPS[0]}')")


def test_ci_requires_all_that_tests_need() -> None:
    """Whatever part a test may lack is in the list of .ci/run, so that its tests cannot vanish there."""
    script = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    (required,) = re.findall(r"WINDTUNNEL_REQUIRE=(\S+)", script)
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py") if path.name != "test_needs.py"]
    parts = {part for text in texts for part in re.findall(r'\b(?:lacking|program)\([^()]*"(\w+)"\)', text)}
    parts |= {part for text in texts for part in re.findall(r'\bpackage\([^()]*?"(\w+)"\)', text)}

    assert {"prefect", "docker", "kubernetes"} <= parts
    assert parts <= set(required.split(","))
    assert not [text for text in texts if "importor" + "skip" in text]

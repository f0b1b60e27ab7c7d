"""The plans of the samples are these; `python tests/golden/renew.py` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden.renew import CASES, SAMPLES, golden_file, preview_text
from windtunnel.benchmark import load
from windtunnel.plan import Plan
from windtunnel.strategies import make_plan

HERE = Path(__file__).parent


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_the_plan_of_a_sample_is_the_one_that_was_agreed(sample: Path) -> None:
    """Its JSON is the golden one, and the golden one is a plan."""
    golden = json.loads((HERE / f"{sample.stem}.plan.json").read_text(encoding="utf-8"))
    plan = make_plan(load(sample).benchmark)
    assert plan.to_json() == golden
    assert Plan.from_json(golden) == plan


def test_every_golden_plan_has_its_sample() -> None:
    """There is one for each sample, and none besides."""
    assert sorted(path.name for path in HERE.glob("*.plan.json")) == [f"{path.stem}.plan.json" for path in SAMPLES]


@pytest.mark.parametrize(("sample", "backend"), CASES, ids=lambda part: getattr(part, "stem", part))
def test_what_a_backend_would_make_of_a_sample_is_what_was_agreed(
    sample: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each container, object and process of it, without a platform."""
    for name in ("LEASE_SECONDS", "NAMESPACE", "RUNNER_IMAGE"):
        monkeypatch.delenv(f"WINDTUNNEL_{name}", raising=False)
    assert preview_text(sample, backend) == golden_file(sample, backend).read_text(encoding="utf-8")


def test_every_golden_preview_has_its_sample_and_backend() -> None:
    """There is one for each, and none besides."""
    assert {golden_file(*case) for case in CASES} == set(HERE.glob("previews/*.yaml"))

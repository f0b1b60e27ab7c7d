"""The plans of the samples are these; `python tests/golden/renew.py` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windtunnel.benchmark import load
from windtunnel.plan import Plan
from windtunnel.strategies import make_plan

HERE = Path(__file__).parent
SAMPLES = sorted((HERE.parents[1] / "flows").glob("*.toml"))


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

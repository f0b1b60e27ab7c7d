"""What ships with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.benchmark import parse
from windtunnel.content import sample
from windtunnel.strategies import STRATEGIES, make_plan


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_has_a_sample_that_is_valid(strategy: str) -> None:
    """The sample is a benchmark of that strategy, and its plan is sound."""
    loaded = parse(sample(strategy), Path("sample.toml"))
    assert loaded.benchmark.benchmark.strategy == strategy
    assert make_plan(loaded.benchmark).jobs


def test_a_strategy_without_a_sample_has_none() -> None:
    """There is no sample but those of the strategies."""
    with pytest.raises(KeyError):
        sample("nonesuch")

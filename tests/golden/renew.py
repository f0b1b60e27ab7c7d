"""Write the plan of every sample benchmark: run this after a change of the plan that is meant."""

from __future__ import annotations

import json
from pathlib import Path

from windtunnel.benchmark import load
from windtunnel.strategies import make_plan

HERE = Path(__file__).parent


def main() -> None:
    """Write ``<sample>.plan.json`` for each of ``flows/*.toml``, and take away what has no sample."""
    for old in HERE.glob("*.plan.json"):
        old.unlink()
    for sample in sorted((HERE.parents[1] / "flows").glob("*.toml")):
        plan = make_plan(load(sample).benchmark).to_json()
        (HERE / f"{sample.stem}.plan.json").write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

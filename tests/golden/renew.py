"""Write the plan of every sample benchmark, and Argo's templates: run this after a change of them that is meant."""

from __future__ import annotations

import json
from pathlib import Path

from windtunnel.benchmark import load
from windtunnel.engines.argo.render import to_yaml
from windtunnel.engines.argo.templates import template
from windtunnel.strategies import STRATEGIES, make_plan

HERE = Path(__file__).parent


def main() -> None:
    """Write ``<sample>.plan.json`` for each of ``flows/*.toml``, and a template for each strategy."""
    for old in HERE.glob("*.plan.json"):
        old.unlink()
    for sample in sorted((HERE.parents[1] / "flows").glob("*.toml")):
        plan = make_plan(load(sample).benchmark).to_json()
        (HERE / f"{sample.stem}.plan.json").write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    for strategy in STRATEGIES:
        file = HERE.parents[1] / "argo_templates" / f"{strategy.replace('-', '_')}.yaml"
        file.write_text(to_yaml(template(strategy).to_dict()), encoding="utf-8")


if __name__ == "__main__":
    main()

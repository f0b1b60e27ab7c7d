"""Write the plan of every sample, Argo's templates, and what a new strategy needs on a server or in a cluster.

Run this after a change of them that is meant.
"""

from __future__ import annotations

import json
from pathlib import Path

from windtunnel.benchmark import load
from windtunnel.documents import to_yaml
from windtunnel.engines.argo.templates import template
from windtunnel.strategies import STRATEGIES, make_plan

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEMPLATE = '''"""WorkflowTemplate of the strategy {strategy}; {name}.yaml is its rendering."""

from windtunnel.engines.argo.templates import template

{name} = template("{strategy}")
'''
FLOW = '''"""Prefect flow of the strategy {strategy}."""

from windtunnel.engines.prefect.flows import {name}

__all__ = ["{name}"]
'''


def main() -> None:
    """Write ``<sample>.plan.json`` for each of ``flows/*.toml``, and a template and a flow for each strategy."""
    for old in HERE.glob("*.plan.json"):
        old.unlink()
    for sample in sorted((ROOT / "flows").glob("*.toml")):
        plan = make_plan(load(sample).benchmark).to_json()
        (HERE / f"{sample.stem}.plan.json").write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    for strategy in STRATEGIES:
        name = strategy.replace("-", "_")
        file = ROOT / "argo_templates" / f"{name}.yaml"
        file.write_text(to_yaml(template(strategy).to_dict()), encoding="utf-8")
        _write_new(file.with_suffix(".py"), TEMPLATE.format(strategy=strategy, name=name))
        _write_new(ROOT / "flows" / f"{name}.py", FLOW.format(strategy=strategy, name=name))


def _write_new(file: Path, text: str) -> None:
    if not file.exists():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write the golden files of every sample, Argo's templates, and what a new strategy needs on a server or in a cluster.

Run this after a change of them that is meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windtunnel.backends import BACKENDS, make_backend
from windtunnel.backends.preview import Document, preview_plan
from windtunnel.benchmark import load
from windtunnel.engines.argo.templates import template
from windtunnel.strategies import STRATEGIES, make_plan
from windtunnel.yaml_documents import to_yaml

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
SAMPLES = sorted((ROOT / "flows").glob("*.toml"))
SCRIPTS = {file.read_text(encoding="utf-8") for file in (ROOT / "src/windtunnel/mpi/sh").iterdir()}
CASES = [(sample, backend) for sample in SAMPLES for backend in BACKENDS]


def golden_file(sample: Path, backend: str) -> Path:
    """Return the file that keeps what a backend would make of a sample."""
    return HERE / "previews" / f"{sample.stem}.{backend}.yaml"


def preview_text(sample: Path, backend: str) -> str:
    """Return what a backend would make of a sample, with its notes; our own programs are left out."""
    loaded = load(sample)
    preview = preview_plan(make_plan(loaded.benchmark), make_backend(backend), loaded.redaction)
    notes = "".join(f"# {note}.\n" for note in preview.notes)
    return notes + "".join(f"---\n{to_yaml(_without_programs(each))}" for each in preview.documents)


def _without_programs(document: Document) -> Document:
    """Return a document that does not change with each of our programs: of a run's ConfigMap, of a gang."""
    is_ours = any(name.startswith("backends.") for name in document.get("data", ()))
    found = {**document, "data": dict.fromkeys(document["data"], "(a program)")} if is_ours else document
    return {key: _without_scripts(value) for key, value in found.items()}


def _without_scripts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_scripts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_scripts(item) for item in value]
    return "(a program)" if isinstance(value, str) and value in SCRIPTS else value


def main() -> None:
    """Write all golden files, and for each strategy a template and a flow."""
    for old in HERE.glob("*.plan.json"):
        old.unlink()
    for sample in SAMPLES:
        plan = make_plan(load(sample).benchmark).to_json()
        (HERE / f"{sample.stem}.plan.json").write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    for old in HERE.glob("previews/*.yaml"):
        old.unlink()
    for sample, backend in CASES:
        golden_file(sample, backend).write_text(preview_text(sample, backend), encoding="utf-8")
    for strategy, row in STRATEGIES.items():
        name = row.module
        file = ROOT / "argo_templates" / f"{name}.yaml"
        file.write_text(to_yaml(template(strategy).to_dict()), encoding="utf-8")
        _write_new(file.with_suffix(".py"), TEMPLATE.format(strategy=strategy, name=name))
        _write_new(ROOT / "flows" / f"{name}.py", FLOW.format(strategy=strategy, name=name))


def _write_new(file: Path, text: str) -> None:
    if not file.exists():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

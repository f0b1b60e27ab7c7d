"""Project content that ships with the package: sample benchmarks, Argo's templates, Prefect's manifests."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from windtunnel.strategies import STRATEGIES


def sample(strategy: str) -> str:
    """Return the sample benchmark of a strategy, as TOML."""
    return (_folder("flows") / f"{STRATEGIES[strategy].module}.toml").read_text(encoding="utf-8")


def argo_templates() -> list[str]:
    """Return the WorkflowTemplates, as YAML."""
    entries = sorted(_folder("argo_templates").iterdir(), key=lambda each: each.name)
    return [each.read_text(encoding="utf-8") for each in entries if each.name.endswith(".yaml")]


def prefect_manifest(name: str) -> str:
    """Return a manifest of Prefect's on Kubernetes, as YAML."""
    return (_folder("containers/prefect") / f"{name}.yaml").read_text(encoding="utf-8")


def _folder(name: str) -> Traversable:
    # In a checkout the project's own folder is the source; the wheel carries a copy of it.
    checkout = Path(__file__).parents[2] / name
    return checkout if checkout.is_dir() else files("windtunnel") / "content" / name

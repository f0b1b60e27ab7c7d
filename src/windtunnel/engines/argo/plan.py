"""The pod `plan`: finds out what the client's pods are, where nobody who submits has."""

from __future__ import annotations

from windtunnel.engines.argo.labels import OUTPUTS
from windtunnel.engines.argo.parameters import WorkflowParameters
from windtunnel.engines.argo.pod_patch import planned


def plan() -> int:
    """Leave the client's pod and its iterations as output parameters; return an exit code."""
    parameters = WorkflowParameters.from_environment()
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, value in (planned(parameters.plan, parameters.image) | {"run": parameters.run_id}).items():
        (OUTPUTS / name).write_text(value, encoding="utf-8")
    return 0

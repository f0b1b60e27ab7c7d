"""The plan: a frozen, checked DAG of steps. No I/O, no run id, and no backend's words.

A `Service` is up and ready before its dependants and stopped after them; a `Job` runs to
its end once an iteration.
"""

from windtunnel.plan.model import PLAN_VERSION, InputFile, Plan, Target
from windtunnel.plan.steps import (
    Isolation,
    Job,
    Liveness,
    MetricSpec,
    Probe,
    ProbeKind,
    Program,
    Readiness,
    Reduce,
    Service,
    Step,
)

__all__ = [
    "PLAN_VERSION",
    "InputFile",
    "Isolation",
    "Job",
    "Liveness",
    "MetricSpec",
    "Plan",
    "Probe",
    "ProbeKind",
    "Program",
    "Readiness",
    "Reduce",
    "Service",
    "Step",
    "Target",
]

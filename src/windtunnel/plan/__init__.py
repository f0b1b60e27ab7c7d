"""The plan: a frozen, checked DAG of steps. No I/O, no run id, and no backend's words.

A `Service` is up and ready before its dependants and stopped after them; a `Gang` is one of N workers at once; a `Job`
runs to its end once an iteration.
"""

from windtunnel.plan.model import PLAN_VERSION, InputFile, Plan, Target
from windtunnel.plan.steps import (
    Gang,
    Implementation,
    Isolation,
    Job,
    Launcher,
    Liveness,
    MetricSpec,
    Placement,
    Probe,
    ProbeKind,
    Program,
    Readiness,
    Reduce,
    Service,
    Step,
    members_of,
)

__all__ = [
    "PLAN_VERSION",
    "Gang",
    "Implementation",
    "InputFile",
    "Isolation",
    "Job",
    "Launcher",
    "Liveness",
    "MetricSpec",
    "Placement",
    "Plan",
    "Probe",
    "ProbeKind",
    "Program",
    "Readiness",
    "Reduce",
    "Service",
    "Step",
    "Target",
    "members_of",
]

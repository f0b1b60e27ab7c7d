"""What every resource of a run is labelled with, on any platform that has labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from windtunnel.plan import Plan
from windtunnel.run.driver import driver_identity
from windtunnel.run.events import timestamp
from windtunnel.secrets import Redaction

PREFIX = "windtunnel.dev/"
RUN, BENCHMARK, STEP = f"{PREFIX}run", f"{PREFIX}benchmark", f"{PREFIX}step"
TARGET = f"{PREFIX}target"
"""The target that the run has its turn on; what waits for a target carries no such label yet."""
EXPIRES, DRIVER = f"{PREFIX}expires", f"{PREFIX}driver"
USER_PREFIX = "label.windtunnel.dev/"
"""The benchmark's own labels get a prefix of theirs, so that none can pass for Windtunnel's."""


@dataclass(frozen=True)
class RunLabels:
    """The labels of one run.

    Attributes:
        run_id: The run.
        plan: The run's plan.
        expires: When its warden ends everything, seconds since the epoch.
    """

    run_id: str
    plan: Plan
    expires: float

    def to_json(self, step: str | None = None) -> Mapping[str, str]:
        """Return the labels of a resource that belongs to `step`, or to the run as a whole."""
        labels = {f"{USER_PREFIX}{key}": value for key, value in self._own.items()}
        labels |= {RUN: self.run_id, BENCHMARK: self.plan.benchmark, EXPIRES: timestamp(self.expires)}
        if self.plan.target:
            labels[TARGET] = self.plan.target.name
        labels[DRIVER] = json.dumps(driver_identity())
        return labels | ({STEP: step} if step else {})

    @cached_property
    def _own(self) -> Mapping[str, str]:
        """The benchmark's own labels, without what is secret in them."""
        plan = self.plan.to_json()
        return dict(Redaction.of([plan]).document({"labels": plan["labels"]})["labels"])

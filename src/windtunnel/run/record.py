"""`run.json`: what a run came to. A contract: fields are added, never changed or taken away."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Validity = Literal["valid", "suspect", "invalid"]
Status = Literal["running", "succeeded", "failed", "timed_out", "cancelled", "lost"]
WORDS = frozenset({*get_args(Validity), *get_args(Status)})
"""Words of a record's own, which are no secrets."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)


class Cause(_Model):
    """Why a run did not simply succeed: a stable word, the step, and a sentence."""

    code: str
    step: str | None = None
    message: str
    log_tail: list[str] = Field(default_factory=list)


class MetricSummary(_Model):
    """One metric over the kept iterations.

    `values` holds one value an iteration, in order; mean, median, stdev and `ci95`
    (Student's t, for the mean) are over them. `p50`, `p90`, `p99` are over all samples.
    """

    unit: str | None
    better: Literal["higher", "lower"] | None
    n: int
    mean: float
    median: float
    stdev: float | None
    ci95: tuple[float, float] | None
    p50: float
    p90: float
    p99: float
    values: list[float]
    samples: int


class Phase(_Model):
    """A stretch of time of one step."""

    step: str
    phase: Literal["start", "ready", "run", "stop"]
    iteration: int | None = None
    warmup: bool = False
    started: str
    seconds: float


class ResourceCount(_Model):
    """What was made on the platform, what is verified to be gone, and what is left by name."""

    created: int = 0
    gone: int = 0
    left: list[str] = Field(default_factory=list)


class Usage(_Model):
    """What a step used while iterations were measured; CPU in cores, memory in bytes."""

    cpu_mean: float
    cpu_max: float
    cpu_wait_mean: float | None
    memory_max: int


class FailureCount(_Model):
    """How many of a job's requests failed in kept iterations.

    `source` is the parser that tells, or ``metrics``: the benchmark's own metrics of these names.
    `requests` has the failed ones too; None if nothing says how many there were.
    """

    step: str
    source: str
    requests: int | float | None
    failures: int | float


class SweepPart(_Model):
    """Which run of a sweep this is: the sweep's id, and the value of each of the matrix's keys.

    `key` tells what determines the run: the same one is not measured again in a sweep that goes on.
    """

    id: str
    values: dict[str, Any]
    key: str | None = None


class DuelPart(_Model):
    """Which run of a duel this is: the duel's id, the side, and the round, counted from 1."""

    id: str
    side: Literal["baseline", "candidate"]
    round: int


class Upload(_Model):
    """Where a run is kept beside its folder, whether all of it is there, and if not, why."""

    url: str
    complete: bool = False
    error: str | None = None


class RunHead(_Model):
    """What a list of runs shows of a record; hundreds are read in the time of one with many metrics."""

    run_id: str | None
    backend: str
    started: str | None = None
    status: Status
    exit_code: int | None = None
    validity: Validity | None = None
    sweep: SweepPart | None = None
    driver: dict[str, Any] = Field(default_factory=dict)


class RunRecord(_Model):
    """The object that `run --json` prints and the run's folder keeps."""

    schema_version: Literal[1] = 1
    run_id: str | None
    benchmark: str | None
    strategy: str | None
    engine: str
    backend: str
    started: str | None = None
    finished: str | None = None
    status: Status
    exit_code: int | None = None
    cause: Cause | None = None
    validity: Validity | None = None
    reasons: list[str] = Field(default_factory=list)
    metrics: dict[str, MetricSummary] = Field(default_factory=dict)
    failures: list[FailureCount] = Field(default_factory=list)
    phases: list[Phase] = Field(default_factory=list)
    resources: ResourceCount = ResourceCount()
    usage: dict[str, Usage] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    overrides: list[str] = Field(default_factory=list)
    sweep: SweepPart | None = None
    duel: DuelPart | None = None
    driver: dict[str, Any] = Field(default_factory=dict)
    path: str | None = None
    upload: Upload | None = None

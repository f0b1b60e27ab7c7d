"""The tables of a benchmark file that say what runs: servers with their probes, and the client."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from windtunnel.benchmark import checks
from windtunnel.benchmark.values import Duration, Quantity

EnvValue = Annotated[
    str,
    BeforeValidator(checks.env_value),
    AfterValidator(checks.check_text),
    WithJsonSchema({"type": ["string", "integer"]}),
]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Command = Annotated[
    list[Annotated[str, AfterValidator(checks.check_text)]],
    Field(min_length=1),
    AfterValidator(checks.check_command),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class Model(BaseModel):
    """Base of all tables: unknown keys are errors, values are not coerced or changed."""

    # Deferred: only the outermost table needs a validator, and each costs start-up time.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Probe(Model):
    """One question to a server: does it answer? Exactly one of http, tcp, exec, log."""

    http: Annotated[str, Field(pattern="^/")] | None = None
    """Path to GET; any status from 200 to 399 is a yes."""
    tcp: Literal[True] | None = None
    """Whether the port accepts a connection."""
    exec: Command | None = None
    """A command, run where the server runs; exit status 0 is a yes."""
    log: Annotated[str, AfterValidator(checks.check_log_pattern)] | None = None
    """A regular expression that has to be found in the server's output."""
    port: Port | None = None
    """The port to ask, when it is not the server's."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        kinds = [kind for kind in ("http", "tcp", "exec", "log") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            msg = f"give exactly one of http, tcp, exec, log; here: {', '.join(kinds) or 'none'}"
            raise ValueError(msg)
        if self.port is not None and kinds[0] in {"exec", "log"}:
            msg = f"port goes with http or tcp, not with {kinds[0]}"
            raise ValueError(msg)
        return self


class Ready(Probe):
    """When a server counts as ready; nothing that needs it starts before."""

    within: Duration = 60.0


class Live(Probe):
    """How a ready server is watched; `failures` misses in a row end the run."""

    every: Duration = 2.0
    timeout: Duration = 1.0
    failures: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _no_log(self) -> Self:
        if self.log is not None:
            msg = "a log line cannot tell that a server still lives; use http, tcp or exec"
            raise ValueError(msg)
        return self


class Resources(Model):
    """What one process, container or pod of a step may use."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpu: Annotated[int, Field(ge=1)] | None = None
    """Whole GPUs, on kubernetes."""


class Toleration(Model):
    """A taint of nodes that a step's pods do not mind, as Kubernetes writes it."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


Labels = Annotated[dict[str, str], AfterValidator(checks.check_label_map)]


class Placed(Model):
    """Of what image the containers or pods of a step are, what they may use, and what places them."""

    image: Annotated[str, Field(min_length=1)] | None = None
    resources: Resources = Resources()
    node_selector: Labels = Field(default_factory=dict)
    """Labels of the nodes that may run it, on kubernetes."""
    tolerations: list[Toleration] = Field(default_factory=list)
    """Taints of nodes that it does not mind, on kubernetes."""
    pod_labels: Labels = Field(default_factory=dict)
    """Labels of its pods, on kubernetes, such as that of a queue."""
    pod_annotations: Annotated[dict[str, str], AfterValidator(checks.check_annotations)] = Field(default_factory=dict)
    """Annotations of its pods, on kubernetes."""
    scheduler_name: Annotated[str, Field(min_length=1)] | None = None
    """What schedules its pods, on kubernetes, if it is not the cluster's default."""


class Program(Placed):
    """What a step runs and what it finds around it."""

    command: Command
    env: dict[EnvName, EnvValue] = Field(default_factory=dict)
    files: Annotated[dict[str, str], AfterValidator(checks.check_files)] = Field(default_factory=dict)
    """Path to content; placed in the step's working folder before it starts."""
    requirements: list[Annotated[str, AfterValidator(checks.check_requirement)]] = Field(default_factory=list)
    """Python packages, as pip names them; installed once, before anything is measured."""
    isolation: Literal["open", "sealed"] = "open"
    """sealed: no network outside of the run, no privileges, inputs that cannot be changed."""
    trace: bool = False
    """Whether its system calls are recorded; the numbers are then slower, and the result suspect."""


class Server(Program):
    """A process that is up and ready before the client starts, and always stopped after it."""

    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """0 is any free port; without one, `ready` has to be exec or log."""
    ready: Ready = Ready(tcp=True)
    live: Live | None = None
    stop: Command | None = None
    grace: Duration = 10.0
    replicas: Annotated[int, Field(ge=1)] = 1
    placement: Literal["apart", "same-pod", "any"] = "apart"

    @model_validator(mode="after")
    def _probes_have_a_port(self) -> Self:
        for key, probe in (("ready", self.ready), ("live", self.live)):
            if probe and (probe.http or probe.tcp) and self.port is None and probe.port is None:
                msg = f"{key} asks a port, and the server has none; give port (0: any free one)"
                raise ValueError(msg)
        return self


class Gang(Placed):
    """The workers of an MPI job, or the members of a job without launcher: all at once, or none."""

    size: Annotated[int, Field(ge=1)]
    """How many there are."""
    slots: Annotated[int, Field(ge=1)] = 1
    """How many ranks each of them takes."""
    placement: Literal["any", "spread", "packed"] = "any"
    """spread: a node for each; packed: one node for all; what cannot be placed so is refused."""
    within: Duration = 60.0
    """How long the launcher may take to reach them all."""
    wait: Duration | None = None
    """How long a gang that cannot be placed whole is tried again; unless said, it is not."""
    shm: Quantity | None = None
    """The size of each one's /dev/shm."""


class Client(Program):
    """The process that measures; in single-node the only one, in mpi what each rank runs."""

    launcher: Literal["openmpi", "mpich", "intel", "none"] | None = None
    """Whose mpirun starts the command as ranks; none: each member of the gang runs it, with RANK and WORLD_SIZE."""
    ranks: Annotated[int, Field(ge=1)] | None = None
    """How many ranks mpirun starts; one in each slot of the gang unless said."""
    launcher_options: list[Annotated[str, AfterValidator(checks.check_text)]] = Field(default_factory=list)
    """Options for mpirun, beside Windtunnel's own."""

    @model_validator(mode="after")
    def _ranks_need_a_launcher(self) -> Self:
        for key in ("ranks", "launcher_options"):
            if getattr(self, key) and self.launcher in {None, "none"}:
                msg = f"{key} goes with a launcher: openmpi, mpich or intel"
                raise ValueError(msg)
        return self

"""The benchmark file as typed data. Nothing here does I/O or knows a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from windtunnel import parsers
from windtunnel.benchmark import checks, matrix
from windtunnel.benchmark.programs import Client, Gang, Model, Server
from windtunnel.benchmark.values import Duration, Threshold
from windtunnel.strategies import STRATEGIES

# A file may name what the table has; type checkers want a Literal's choices written out.
if TYPE_CHECKING:
    StrategyName = str
else:
    StrategyName = Literal[tuple(STRATEGIES)]
SERVER_NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
CLIENT = "client"
GANG = "gang"
RESERVED_STEPS = frozenset({CLIENT, GANG, "warden", "inputs"})


_PARSER_SCHEMA = {"type": "string", "enum": sorted(parsers.PARSERS)}
ServerName = Annotated[str, Field(pattern=SERVER_NAME_PATTERN)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Input(Model):
    """A file that is fetched and checked once, before anything starts."""

    src: Annotated[str, AfterValidator(checks.check_source)]
    path: Annotated[str, AfterValidator(checks.check_path)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Run(Model):
    """How often the client measures."""

    warmup: Annotated[int, Field(ge=0)] = 0
    repeats: Annotated[int, Field(ge=1)] = 1
    fresh: bool = False
    max_failures: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.01
    """The share of an iteration's requests that may fail, from 0 to 1; where more do, the result is suspect."""
    schedule: Annotated[str, AfterValidator(checks.check_cron)] | None = None
    """When a deployment runs by itself, as five cron fields; `run` does not wait for it."""
    timezone: Annotated[str, AfterValidator(checks.check_timezone)] | None = None
    """Where the schedule's clock hangs, such as Europe/Paris; UTC unless said otherwise."""

    @model_validator(mode="after")
    def _timezone_needs_a_schedule(self) -> Self:
        if self.timezone is not None and self.schedule is None:
            msg = "timezone goes with schedule, and there is none"
            raise ValueError(msg)
        return self


class Metric(Model):
    """Where a number is found in what the client writes, and what it means."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    unit: Annotated[str, AfterValidator(checks.check_unit)] | None = None
    better: Literal["higher", "lower"] | None = None
    pattern: Annotated[str, AfterValidator(checks.check_pattern)] | None = None
    parser: Annotated[str, AfterValidator(parsers.check_name), WithJsonSchema(_PARSER_SCHEMA)] | None = None
    reduce: Literal["median", "mean", "max", "sum", "last"] = "median"
    threshold: Threshold | None = None
    """The smallest difference between two sides that matters: a share such as "5%", or a number; else 2%."""
    gate: bool | None = None
    """Whether a comparison's verdict depends on it; unless said, that of all metrics that say what is better does."""
    compare: Literal["median", "mean"] = "median"
    """What of a run's iterations is compared with another run's."""

    @model_validator(mode="after")
    def _gates_need_a_direction(self) -> Self:
        if self.gate and self.name and not self.better:
            msg = 'gate = true goes with better = "higher" or "lower"'
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.pattern and self.parser:
            msg = "give pattern or parser, not both"
            raise ValueError(msg)
        if self.name is None and not self.parser:
            msg = "name is missing (only a parser can go without one: it then gives all it finds)"
            raise ValueError(msg)
        if self.name is None and (self.better or self.unit):
            msg = "better and unit go with a name; a parser without one knows those of its metrics"
            raise ValueError(msg)
        if self.parser and self.name:
            parsers.check_metric(self.parser, self.name, self.unit)
        return self


class Output(Model):
    """Where results go."""

    store: Annotated[str, Field(min_length=1), AfterValidator(checks.check_store)] = "runs"
    """A folder (``~``: at home), s3://bucket/prefix, or pvc://claim/path; credentials are never in the file."""
    artifacts: list[Annotated[str, AfterValidator(checks.check_glob)]] = Field(default_factory=lambda: ["**"])
    """Globs of $WINDTUNNEL_OUT; all of it unless said otherwise."""


class Info(Model):
    """Which benchmark this is and how it is laid out."""

    name: Name
    strategy: StrategyName
    labels: Annotated[dict[str, str], AfterValidator(checks.check_labels)] = Field(default_factory=dict)
    timeout: Duration = 3600.0


class Target(Model):
    """What is measured alone: of all runs that name it, one goes on at a time, and the others wait."""

    name: Name
    within: Duration = 86_400.0
    """How long a run waits for its turn; that is none of its timeout."""


class Benchmark(Model):
    """One benchmark file."""

    spec_version: Literal["1"]
    benchmark: Info
    server: Server | None = None
    servers: dict[ServerName, Server] = Field(default_factory=dict)
    gang: Gang | None = None
    client: Client
    inputs: list[Input] = Field(default_factory=list)
    run: Run = Run()
    target: Target | None = None
    metrics: list[Metric] = Field(default_factory=list)
    output: Output = Output()

    @model_validator(mode="after")
    def _tables_fit_the_strategy(self) -> Self:
        names = list(self.all_servers())
        strategy = STRATEGIES[self.benchmark.strategy]
        if names and not strategy.servers:
            others = " or ".join(name for name, row in STRATEGIES.items() if row.servers)
            msg = f"{self.benchmark.strategy} has no server (here: {', '.join(names)}); use {others}"
            raise ValueError(msg)
        if strategy.servers and not names:
            msg = f"{self.benchmark.strategy} needs a [server] table"
            raise ValueError(msg)
        if strategy.gang:
            self._check_gang()
        elif self.gang or self.client.launcher:
            others = " or ".join(name for name, row in STRATEGIES.items() if row.gang)
            msg = f"{self.benchmark.strategy} has no gang and no launcher; use {others}"
            raise ValueError(msg)
        if self.server and "server" in self.servers:
            msg = "[server] is short for [servers.server]; give one of them"
            raise ValueError(msg)
        for name in RESERVED_STEPS & set(self.servers):
            msg = f"servers.{name}: no server can be called {name}"
            raise ValueError(msg)
        checks.check_sources([(metric.name, metric.parser) for metric in self.metrics])
        for name, program in {CLIENT: self.client, **self.all_servers()}.items():
            try:
                checks.check_places([*(item.path for item in self.inputs), *program.files])
            except ValueError as error:
                msg = f"inputs and the files of {name}: {error}"
                raise ValueError(msg) from None
        return self

    def _check_gang(self) -> None:
        gang, client = self.gang, self.client
        if gang is None or client.launcher is None:
            missing = "a [gang] table" if gang is None else "client.launcher: openmpi, mpich, intel, or none"
            msg = f"{self.benchmark.strategy} needs {missing}"
            raise ValueError(msg)
        if client.launcher == "none" and gang.slots > 1:
            msg = "gang.slots go with a launcher; without one each member is one rank"
            raise ValueError(msg)
        if (client.ranks or 0) > gang.size * gang.slots:
            # MPICH and Intel MPI would put two ranks into one slot, and say nothing.
            msg = f"client.ranks: {client.ranks} are more than {gang.size} workers with {gang.slots} slots each take"
            raise ValueError(msg)

    def all_servers(self) -> dict[str, Server]:
        """Return every server by its name, in the order of the file."""
        return ({"server": self.server} if self.server else {}) | self.servers


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a benchmark file, for editors to complete and check it."""
    schema = Benchmark.model_json_schema()
    schema["properties"]["matrix"] = matrix.SCHEMA
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema

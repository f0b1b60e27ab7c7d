"""mpi: workers at once, and a launcher that runs the client's command on them as ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from windtunnel.benchmark import GANG, Benchmark
from windtunnel.benchmark import Gang as GangTable
from windtunnel.benchmark.values import parse_quantity
from windtunnel.errors import PlanError
from windtunnel.plan import Gang, Implementation, Job, Launcher, Plan, Probe, Program, Readiness
from windtunnel.strategies.build import build_job, build_plan, build_program
from windtunnel.substitution import gang_names, references

SSH_PORT = 2222
"""Where the workers are reached by ssh: a port that no user needs a right for."""
WORKER = ("sshd",)
"""What the workers run, as people are shown it; the run has the files that it needs."""
_GRACE_SECONDS = 5.0


def plan(benchmark: Benchmark) -> Plan:
    """Return the plan of a gang with a launcher, or of a job of many members where there is none."""
    gang, launcher = benchmark.gang, benchmark.client.launcher
    if gang is None or launcher is None:
        raise PlanError("mpi needs a [gang] table and client.launcher")
    program = _program(benchmark, gang)
    if launcher == "none":
        job = replace(build_job(benchmark), program=program, size=gang.size)
        return build_plan(benchmark, (replace(job, placement=gang.placement, wait=gang.wait or 0.0),))
    return build_plan(benchmark, (_gang(gang, program), _launcher(benchmark, gang, launcher)))


def _program(benchmark: Benchmark, gang: GangTable) -> Program:
    shm = parse_quantity(gang.shm) if gang.shm else None
    return replace(build_program(benchmark.client, gang), shm=shm)


def _gang(gang: GangTable, program: Program) -> Gang:
    return Gang(
        name=GANG,
        # The ranks have all of the launcher's variables; what they run is its to trace.
        program=replace(program, command=WORKER, env=_early(program.env), trace=False),
        ready=Readiness(probe=Probe(kind="tcp"), within=gang.within),
        port=SSH_PORT,
        grace=_GRACE_SECONDS,
        replicas=gang.size,
        placement=gang.placement,
        slots=gang.slots,
        wait=gang.wait or 0.0,
    )


def _launcher(benchmark: Benchmark, gang: GangTable, implementation: Implementation) -> Job:
    client = benchmark.client
    job = build_job(benchmark, (GANG,), fresh=benchmark.run.fresh)
    ranks = client.ranks or gang.size * gang.slots
    launcher = Launcher(implementation=implementation, gang=GANG, ranks=ranks, options=tuple(client.launcher_options))
    # The image that the workers have is the launcher's, unless it says otherwise.
    return replace(job, program=replace(job.program, image=client.image or gang.image), launcher=launcher)


def _early(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of which all is known before the workers are up: by its ``PATH`` MPI is found there."""
    late = {"ITERATION", "WORLD_SIZE", *gang_names(GANG).values()}
    return {name: text for name, text in env.items() if not references(text) & late}

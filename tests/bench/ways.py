"""One benchmark on Kubernetes by each way to start it there, and where the seconds go that each adds.

All four are in one namespace and keep their runs in one claim. What the API tells of containers and workflows has a
resolution of a second; Prefect's states, runs' events and processes' starts are finer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.table import Table

from bench.kubernetes_scenario import NAME, write_benchmark
from support.argo_lab import why_not
from support.claims import Claim, volume
from support.prefect_cluster import PrefectCluster, prefect_cluster
from windtunnel.engines.argo.nodes import nodes_of
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL, POOL

COMMAND, JOBS = "windtunnel run", "Prefect, Kubernetes worker"
POLL_SECONDS = 5
"""How often both workers look for work."""
LIMIT_SECONDS = 10.0
"""How much the worker on Kubernetes may add to `windtunnel run`."""
_END_SECONDS = 300.0
_TICKS = 100
"""So many to a second has the kernel's clock of processes."""
STAGES = {
    "poll": "a worker has it",
    "Job": "its Job is made",
    "pod": "its container runs",
    "Python": "the driver's process begins",
    "Prefect": "the run begins",
    "first object": "its first step is asked for",
    "run": "the run is over",
    "end": "all is over",
}
"""Each way's stages, and what each ends with; one that a way does not have is a part of the next."""


@dataclass(frozen=True)
class Course:
    """When a way was asked for, and when its stages ended, in seconds since the epoch; None where it has not one."""

    asked: float
    ends: tuple[float | None, ...]

    @property
    def total(self) -> float:
        """All of it, in seconds."""
        return (self.ends[-1] or self.asked) - self.asked

    @property
    def seconds(self) -> list[float | None]:
        """What each stage took; none of them less than nothing, as clocks of a second would have it."""
        known = [self.asked, *(each for each in self.ends if each is not None)]
        # A whole second stands for the moments within it: it is no earlier than what is known to come before.
        ordered = [max(known[: number + 1]) for number in range(len(known))]
        took = iter(after - before for before, after in pairwise(ordered))
        return [None if end is None else next(took) for end in self.ends]


class Ways:
    """Runs the benchmark by each way.

    Args:
        lab: A Prefect server and a worker in the cluster.
        claim: What keeps the runs.
        file: The benchmark.
    """

    def __init__(self, lab: PrefectCluster, claim: Claim, file: Path) -> None:
        self.lab, self.claim, self.file = lab, claim, file
        self.ways: dict[str, Callable[[], Course]] = {
            COMMAND: self.by_command,
            "Prefect, process worker": partial(self.by_worker, "processes", is_job=False),
            JOBS: partial(self.by_worker, "jobs", is_job=True),
            "Argo": self.by_argo,
        }

    def prepare(self) -> None:
        """Deploy the benchmark to both pools, start the worker of processes, and install what Argo needs."""
        self._call("install", "prefect")
        self._call("install", "argo", "--namespace", self.lab.namespace)
        self.lab.start_worker("processes")
        for name, pool in (("processes", POOL), ("jobs", KUBERNETES_POOL)):
            self._call("deploy", str(self._named(name)), "--pool", pool, "--backend", "kubernetes", *self._store)

    def by_command(self) -> Course:
        """Run it by the command line."""
        asked = time.time()
        record = json.loads(self._call("run", str(self.file), "--backend", "kubernetes", "--json", *self._store))
        return self._course(asked, record["run_id"], [None, None, None], time.time())

    def by_worker(self, name: str, *, is_job: bool) -> Course:
        """Have a worker run it, as soon as it looks for work."""
        asked = time.time()
        flow_run = self.lab.start(f"client-server/{name}")
        found = self.lab.final(flow_run, _END_SECONDS)
        states = self.lab.ask("GET", f"/flow_run_states/?flow_run_id={flow_run}").raise_for_status().json()
        at = {each["name"]: _moment(each["timestamp"]) for each in states}
        made, up = None, None
        if is_job:
            made = at["InfrastructurePending"]
            (pod,) = self.lab.flow_pods(flow_run)
            (status,) = pod["status"]["containerStatuses"]
            (state,) = status["state"].values()
            up = _moment(state["startedAt"])
        return self._course(asked, found["name"], [at["Pending"], made, up], _moment(found["state"]["timestamp"]))

    def by_argo(self) -> Course:
        """Submit it as a workflow and wait for that."""
        before = {each["metadata"]["name"] for each in self.lab.get("workflows")}
        asked = time.time()
        place = ("--namespace", self.lab.namespace, "--wait", "--json")
        record = json.loads(self._call("submit", str(self.file), *place, *self._store))
        ended = time.time()
        (workflow,) = (each for each in self.lab.get("workflows") if each["metadata"]["name"] not in before)
        (driver,) = (each for each in nodes_of(workflow) if each.get("templateName") == "drive")
        taken, made = (_moment(each["startedAt"]) for each in (workflow["status"], driver))
        return self._course(asked, record["run_id"], [taken, made, None], ended)

    @property
    def _store(self) -> list[str]:
        return ["--set", f"output.store={self.claim.store}"]

    def _named(self, name: str) -> Path:
        file = self.file.with_name(f"{name}.toml")
        file.write_text(self.file.read_text().replace(f'"{NAME}"', f'"{name}"'))
        return file

    def _call(self, *arguments: str) -> str:
        done = self.lab.windtunnel(*arguments)
        if done.returncode:
            raise RuntimeError(f"windtunnel {arguments[0]}: {done.stderr}")
        return done.stdout

    def _course(self, asked: float, run_id: str, ends: list[float | None], ended: float) -> Course:
        """Return the course of a run that is kept: from its process's start on, its record and events tell."""
        record = json.loads(self.claim.read(f"{run_id}/run.json"))
        events = map(json.loads, self.claim.read(f"{run_id}/events.jsonl").splitlines())
        first = next(each["time"] for each in events if each["type"] == "service_starting")
        # The machine's start, since which ticks are counted, is told to others in whole seconds.
        driver = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + record["driver"]["ticks"] / _TICKS
        told = [_moment(each) for each in (record["started"], first, record["finished"])]
        return Course(asked, (*ends, driver, *told, ended))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True)
class Way:
    """What one way came to in several rounds.

    Attributes:
        courses: A course for each round.
    """

    courses: list[Course]

    @property
    def stages(self) -> list[float | None]:
        """What each stage takes at least, in seconds, whatever else the machine had to do; None for one it has not.

        When a worker looks next is a matter of chance, which is none of the machine's: there the median counts.
        """
        by_stage = zip(*(each.seconds for each in self.courses), strict=True)
        found: list[float | None] = []
        for name, rounds in zip(STAGES, by_stage, strict=True):
            known = [each for each in rounds if each is not None]
            best = median if name == "poll" else min
            found.append(best(known) if known else None)
        return found

    @property
    def total(self) -> float:
        """All stages together, in seconds."""
        return sum(each or 0.0 for each in self.stages)


def compare_ways(rounds: int, say: Callable[[str], None]) -> tuple[Table, bool] | None:
    """Run the benchmark each way, in turn; return a table, and whether the worker on Kubernetes adds little enough.

    Args:
        rounds: How often each.
        say: Takes what is being measured.

    Returns:
        None where there is no cluster with Argo.
    """
    if reason := why_not():
        say(f"left out, ways: {reason}")
        return None
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="windtunnel-ways-", ignore_cleanup_errors=True)))
        say("ways: starting a Prefect server and its workers")
        lab = stack.enter_context(prefect_cluster(path, query_seconds=POLL_SECONDS))
        lab.env |= {"WINDTUNNEL_NAMESPACE": lab.namespace, "PREFECT_WORKER_QUERY_SECONDS": str(POLL_SECONDS)}
        ways = Ways(lab, stack.enter_context(volume("777", lab.namespace)), write_benchmark(path))
        ways.prepare()
        found = {name: Way([]) for name in ways.ways}
        for number in range(rounds + 1):
            for name, way in ways.ways.items():
                course = way()
                say(f"ways, round {number} of {rounds}: {name} {course.total:.1f} s")
                # The first round fills caches that the others find filled.
                if number:
                    found[name].courses.append(course)
    added = found[JOBS].total - found[COMMAND].total
    return as_table(found, rounds), added <= LIMIT_SECONDS


def as_table(found: dict[str, Way], rounds: int) -> Table:
    """Return a row for each way; the first one is what the others add to."""
    title = (
        f"one benchmark on Kubernetes, in seconds: each stage's least of {rounds} interleaved rounds, the poll's median"
    )
    table = Table("by", "in all", "added", *STAGES, title=title)
    base = next(iter(found.values())).total
    for name, way in found.items():
        figures = [f"{way.total:.1f}", f"{way.total - base:.1f}"]
        table.add_row(name, *figures, *("" if each is None else f"{each:.1f}" for each in way.stages))
    return table

"""The scenarios of the benchmark: each knows how Windtunnel does it, and how a person would."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import argo_scenario, gang_scenario, kubernetes_scenario, large_scenario
from bench.docker_scenario import by_hand, is_possible, write_benchmark
from bench.scenario import Scenario
from bench.timing import gap, last_gap, timed
from support.prefect_lab import ROOT, PrefectLab
from windtunnel.backends import make_backend
from windtunnel.benchmark import parse
from windtunnel.engines.inline import run
from windtunnel.engines.request import Request
from windtunnel.plan import Job, Plan, Program
from windtunnel.run.control import Control
from windtunnel.strategies import make_plan

WINDTUNNEL = str(Path(sys.executable).parent / "windtunnel")
SERVER = str(Path(__file__).parents[1] / "programs" / "server.py")
FLOWS = Path(__file__).parents[2] / "flows"
STEPS = 1000

CLIENT = 'echo "client=$(date +%s.%N)"; sleep 1; echo "value=1"'
BY_HAND = f"""
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{sys.executable} {SERVER} --port $port --tell-first-answer > server.log 2>&1 &
until curl -sf http://127.0.0.1:$port/ready >/dev/null; do sleep 0.02; done
sh -c '{CLIENT}' > client.log
grep -o 'value=.*' client.log > result
kill $!
wait $! 2>/dev/null
true
"""
TRIVIAL = 'spec_version = "1"\n[benchmark]\nname = "trivial"\nstrategy = "single-node"\n[client]\ncommand = ["true"]\n'


def scenarios(folder: Path) -> Iterator[Scenario]:
    """Yield every scenario; they work in `folder`."""
    sample = str(FLOWS / "client_server.toml")
    for arguments in (["--help"], ["validate", sample], ["plan", sample]):
        ours = partial(timed, [WINDTUNNEL, *arguments], folder)
        yield Scenario(f"windtunnel {arguments[0]}, against doing nothing", "s", 0.3, ours, lambda: 0.0)
    yield from large_scenario.scenarios(folder)
    yield from _client_server(folder)
    if is_possible(partial(print, file=sys.stderr)):
        yield from _on_docker(folder)
    for platform in (kubernetes_scenario, gang_scenario, argo_scenario):
        yield from platform.scenarios(folder, WINDTUNNEL, partial(print, file=sys.stderr))
    yield _trivial("steps of one plan", folder, plan_of_steps())
    repeated = make_plan(parse(f"{TRIVIAL}[run]\nrepeats = {STEPS}", folder / "x.toml").benchmark)
    yield _trivial("iterations of one job", folder, repeated)
    yield prefect_tasks(folder)


def _client_server(folder: Path) -> Iterator[Scenario]:
    file = folder / "one_second.toml"
    server = json.dumps([sys.executable, SERVER, "--port", "$PORT", "--tell-first-answer"])
    file.write_text(f"""
spec_version = "1"
[benchmark]
name = "one-second"
strategy = "client-server"
[server]
command = {server}
port = 0
ready = {{ http = "/ready" }}
[client]
command = {json.dumps(["sh", "-c", CLIENT.replace("$", "$$")])}
[[metrics]]
name = "value"
pattern = 'value=(\\d+)'
""")
    ours = [WINDTUNNEL, "run", str(file)]
    script = ["sh", "-c", BY_HAND]

    def gap_ours() -> float:
        timed(ours, folder)
        return last_gap(folder)

    def gap_by_hand() -> float:
        timed(script, folder)
        return gap(folder / "server.log", folder / "client.log")

    yield Scenario(
        "client-server, 1 s client, against a shell script",
        "s",
        0.7,
        lambda: timed(ours, folder),
        lambda: timed(script, folder),
    )
    # The limit is for ours alone, so nothing is taken off.
    yield Scenario("server's first answer to client's start", "s", 0.05, gap_ours, lambda: 0.0)
    yield Scenario("the same by hand, for comparison", "s", 1.0, gap_by_hand, lambda: 0.0)


def _on_docker(folder: Path) -> Iterator[Scenario]:
    ours = [WINDTUNNEL, "run", str(write_benchmark(folder)), "--backend", "docker"]

    def gap_ours() -> float:
        timed(ours, folder)
        return last_gap(folder)

    yield Scenario(
        "docker: client-server, 1 s client, against the docker CLI",
        "s",
        1.0,
        lambda: timed(ours, folder),
        lambda: timed(["sh", "-c", by_hand()], folder),
    )

    def gap_by_hand() -> float:
        timed(["sh", "-c", by_hand()], folder)
        return gap(folder / "server.log", folder / "client.log")

    # Both wait for a container to be made and started; what is ours to add is the difference.
    yield Scenario("docker: server's first answer to client's start", "s", 0.3, gap_ours, gap_by_hand)


def plan_of_steps(number: int = STEPS) -> Plan:
    """Return a plan of so many jobs that do nothing."""
    steps = tuple(Job(name=f"step-{n}", program=Program(command=("true",))) for n in range(number))
    return Plan(benchmark="trivial", strategy="single-node", timeout=600, steps=steps)


def _trivial(name: str, folder: Path, plan: Plan) -> Scenario:
    loaded = parse(TRIVIAL, folder / "trivial.toml")

    def ours() -> float:
        began = time.perf_counter()
        run(Request(loaded, plan, make_backend("process"), folder / "runs", Control(600)))
        return (time.perf_counter() - began) / STEPS * 1000

    def by_hand() -> float:
        began = time.perf_counter()
        for number in range(STEPS):
            with (folder / f"true.{number}.log").open("wb") as log:
                subprocess.run(["true"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        return (time.perf_counter() - began) / STEPS * 1000

    return Scenario(f"{STEPS} trivial {name}, each", "ms", 2.0, ours, by_hand)


def prefect_tasks(folder: Path) -> Scenario:
    """Return the scenario of a flow on a real server: each act a task, against a flow of the same tasks by hand."""
    lab = PrefectLab(folder)

    def flow(way: str) -> float:
        if not lab.processes:
            lab.start_server()
            atexit.register(lab.end_all)
        return float(lab.call("python", "-m", "bench.prefect_flow", way, cwd=ROOT / "tests").stdout.split()[-1])

    # Ours are processes below a warden, told to a server's graph one after the other.
    name = "the 40 trivial tasks of a flow on a Prefect server"
    return Scenario(name, "s", 0.8, partial(flow, "ours"), partial(flow, "by-hand"))

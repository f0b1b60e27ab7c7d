"""client-server: services that are ready before the client starts and gone after it."""

from __future__ import annotations

from windtunnel.benchmark import Benchmark
from windtunnel.plan import Plan
from windtunnel.strategies.build import build_job, build_plan, build_service


def plan(benchmark: Benchmark) -> Plan:
    """Return the plan of one client and its servers.

    In one pod a server lives as long as its client's pod, which is an iteration: so
    ``same-pod`` is a fresh server for each, on every backend.
    """
    servers = benchmark.all_servers()
    names = tuple(servers)
    services = tuple(build_service(name, server, names) for name, server in servers.items())
    fresh = benchmark.run.fresh or any(service.placement == "same-pod" for service in services)
    return build_plan(benchmark, (*services, build_job(benchmark, names, fresh=fresh)))

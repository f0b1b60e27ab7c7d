"""Parts that every strategy is built from: a benchmark's tables as steps of a plan."""

from __future__ import annotations

from dataclasses import replace

from windtunnel import benchmark as source
from windtunnel.benchmark.values import parse_quantity, parse_threshold
from windtunnel.plan import (
    InputFile,
    Job,
    Liveness,
    MetricSpec,
    Plan,
    Probe,
    Program,
    Readiness,
    Service,
    Step,
    Target,
)
from windtunnel.substitution import address_names, references


def build_plan(benchmark: source.Benchmark, steps: tuple[Step, ...]) -> Plan:
    """Return the plan of `steps` with all that is the same in every strategy."""
    return Plan(
        benchmark=benchmark.benchmark.name,
        strategy=benchmark.benchmark.strategy,
        timeout=benchmark.benchmark.timeout,
        labels=benchmark.benchmark.labels,
        inputs=tuple(InputFile(src=i.src, path=i.path, sha256=i.sha256) for i in benchmark.inputs),
        target=Target(name=benchmark.target.name, within=benchmark.target.within) if benchmark.target else None,
        steps=steps,
    )


def build_job(benchmark: source.Benchmark, needs: tuple[str, ...] = (), *, fresh: bool = False) -> Job:
    """Return the client as a job."""
    return Job(
        name=source.CLIENT,
        program=build_program(benchmark.client),
        needs=needs,
        warmup=benchmark.run.warmup,
        repeats=benchmark.run.repeats,
        fresh=fresh,
        metrics=tuple(_metric(metric) for metric in benchmark.metrics),
        max_failures=benchmark.run.max_failures,
        artifacts=tuple(benchmark.output.artifacts),
    )


def build_service(name: str, server: source.Server, others: tuple[str, ...]) -> Service:
    """Return a server as a service; it needs those of `others` whose address it mentions."""
    service = Service(
        name=name,
        program=build_program(server),
        port=server.port,
        ready=Readiness(probe=_probe(server.ready), within=server.ready.within),
        live=_liveness(server.live) if server.live else None,
        stop=tuple(server.stop) if server.stop else None,
        grace=server.grace,
        replicas=server.replicas,
        placement=server.placement,
    )
    mentioned = set().union(*(references(text) for text in service.texts()))
    needs = tuple(other for other in others if other != name and mentioned & set(address_names(other).values()))
    return replace(service, needs=needs)


def build_program(table: source.Program, placed: source.Placed | None = None) -> Program:
    """Return a program as it is in a plan.

    Args:
        table: Its table.
        placed: The table that says where it runs and what it may use, if that is another.
    """
    place = placed or table
    limits = place.resources
    return Program(
        command=tuple(table.command),
        image=place.image or table.image,
        env=table.env,
        files=table.files,
        requirements=tuple(table.requirements),
        cpu=parse_quantity(limits.cpu) if limits.cpu else None,
        memory=parse_quantity(limits.memory) if limits.memory else None,
        gpu=limits.gpu,
        node_selector=place.node_selector,
        tolerations=tuple(each.model_dump(exclude_none=True) for each in place.tolerations),
        pod_labels=place.pod_labels,
        pod_annotations=place.pod_annotations,
        scheduler_name=place.scheduler_name,
        isolation=table.isolation,
        trace=table.trace,
    )


def _probe(probe: source.Probe) -> Probe:
    if probe.http:
        return Probe(kind="http", target=probe.http, port=probe.port)
    if probe.exec:
        return Probe(kind="exec", command=tuple(probe.exec))
    if probe.log is not None:
        return Probe(kind="log", target=probe.log)
    return Probe(kind="tcp", port=probe.port)


def _liveness(live: source.Live) -> Liveness:
    return Liveness(probe=_probe(live), every=live.every, timeout=live.timeout, failures=live.failures)


def _metric(metric: source.Metric) -> MetricSpec:
    share, absolute = (None, None) if metric.threshold is None else parse_threshold(metric.threshold)
    return MetricSpec(
        name=metric.name,
        unit=metric.unit,
        better=metric.better,
        pattern=metric.pattern,
        parser=metric.parser,
        reduce=metric.reduce,
        share=share,
        absolute=absolute,
        gate=metric.gate,
        compare=metric.compare,
    )

"""Runs that are written rather than run: any samples, any length, in no time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.analysis.recover import find_plan
from windtunnel.analysis.statistics import summarise
from windtunnel.analysis.verdict import summarise_usage
from windtunnel.benchmark import parse_all
from windtunnel.run.events import timestamp
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import Phase, RunRecord, SweepPart
from windtunnel.run.samples import Sample
from windtunnel.strategies import make_plan

BEGIN = 1_790_000_000.0
Labels = tuple[tuple[str, str], ...]


def write_run(
    folder: RunFolder,
    iterations: Sequence[Mapping[Labels, Sequence[float]]],
    *,
    warmup: int = 0,
    metric: str = "rate",
    seconds: float = 2.0,
) -> RunRecord:
    """Write a succeeded run of a client into a new folder, with two usage samples an iteration.

    Args:
        folder: A new run's folder.
        iterations: For each iteration, the samples of each set of labels.
        warmup: How many of them are warm-up.
        metric: What the samples are called.
        seconds: How long an iteration takes.
    """
    samples: list[Sample] = []
    phases: list[Phase] = []
    usage: list[UsageSample] = []
    for number, groups in enumerate(iterations, start=1):
        begin = BEGIN + seconds * (number - 1)
        is_warmup = number <= warmup
        for kind, moment, data in (
            ("started", begin, {}),
            ("finished", begin + seconds, {"status": 0, "samples": sum(map(len, groups.values()))}),
        ):
            line = {"time": timestamp(moment), "type": f"iteration_{kind}", "step": "client", "iteration": number}
            folder.append("events", line | {"data": data | {"warmup": is_warmup}})
        phase = Phase(step="client", phase="run", iteration=number, started=timestamp(begin), seconds=seconds)
        phases.append(phase.model_copy(update={"warmup": is_warmup}))
        usage += [UsageSample("client", begin + seconds * k / 2, seconds / 2, k / 4, 0.0, 2**20 * k, 1) for k in (1, 2)]
        for labels, values in groups.items():
            samples += [Sample(metric, v, "ms", number, begin, "client", dict(labels), is_warmup) for v in values]
        folder.log("client", number).write_text(f"iteration {number}\n", encoding="utf-8")
    for sample in samples:
        folder.append("samples", sample.to_json())
    for item in usage:
        folder.append("usage", item.to_json())
    folder.close()
    plan, _problem = find_plan(folder)
    assert plan
    record = RunRecord(
        run_id=folder.run_id,
        benchmark="made",
        strategy="single-node",
        engine="inline",
        backend="recording",
        started=timestamp(BEGIN),
        finished=timestamp(BEGIN + seconds * len(iterations)),
        status="succeeded",
        exit_code=0,
        validity="valid",
        metrics=summarise(samples, plan),
        phases=phases,
        usage=summarise_usage(usage, phases),
    )
    folder.write_record(record)
    return record


def write_sweep(
    store: Path,
    text: str,
    measure: Callable[[Mapping[str, Any]], Mapping[str, Sequence[float]]],
    changes: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[RunFolder]:
    """Write a sweep: the record of a valid run for each combination of a matrix.

    Args:
        store: Where the runs are kept.
        text: The benchmark, with its matrix.
        measure: Gives the iterations' values of each metric, for the values of the matrix's keys.
        changes: The fields in which the record of a run, counted from 0, is another one.
    """
    folders = []
    for number, loaded in enumerate(parse_all(text, Path("sweep.toml"))):
        plan = make_plan(loaded.benchmark)
        folder = RunFolder.create(store, plan, text)
        samples = [
            Sample(metric, value, None, iteration, BEGIN, plan.jobs[0].name, {}, warmup=False)
            for metric, values in measure(loaded.combination).items()
            for iteration, value in enumerate(values, start=1)
        ]
        record = RunRecord(
            run_id=folder.run_id,
            benchmark=plan.benchmark,
            strategy=plan.strategy,
            engine="inline",
            backend="recording",
            started=timestamp(BEGIN + number),
            status="succeeded",
            exit_code=0,
            validity="valid",
            metrics=summarise(samples, plan),
            sweep=SweepPart(id=f"{plan.benchmark}-sweep", values=dict(loaded.combination)),
        )
        folder.write_record(record.model_copy(update=dict((changes or {}).get(number, {}))))
        folder.close()
        folders.append(folder)
    return folders


def argo_record(run_id: str, **fields: Any) -> RunRecord:
    """Return the record of a run of Argo's that succeeded; `fields` are what is different."""
    told: dict[str, Any] = {
        "benchmark": "bench",
        "strategy": "single-node",
        "engine": "argo",
        "backend": "kubernetes",
        "started": "2026-01-01T00:00:01.000Z",
        "status": "succeeded",
        "exit_code": 0,
        "validity": "valid",
    }
    return RunRecord(run_id=run_id, **(told | fields))

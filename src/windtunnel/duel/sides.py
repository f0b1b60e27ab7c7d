"""The two sides of a duel: the candidate's file, and a baseline that is another file, or a run that is made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from windtunnel.analysis.page import read_json
from windtunnel.benchmark import Loaded, load, parse
from windtunnel.duel.record import Contender
from windtunnel.engines.sweep_parts import digest_of
from windtunnel.errors import UsageError
from windtunnel.plan import InputFile, Plan, Step
from windtunnel.run.folder import RunFolder
from windtunnel.strategies import make_plan


@dataclass(frozen=True)
class Side:
    """One side of a duel.

    Attributes:
        source: Where it came from, in words.
        loaded: Its benchmark.
        plan: Its plan.
        recorded: The run that it is to be made like, if it is a stored one.
    """

    source: str
    loaded: Loaded
    plan: Plan
    recorded: RunFolder | None = None

    @property
    def digest(self) -> str:
        """What tells its plan from another."""
        text = json.dumps(self.plan.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def contender(self) -> Contender:
        """Return it as a duel's record has it, without what is secret."""
        overrides = [self.loaded.redaction.override(each) for each in self.loaded.overrides]
        return Contender(source=self.source, overrides=overrides, plan_digest=self.digest)


def file_side(file: Path, overrides: Sequence[str]) -> Side:
    """Return the side of a benchmark file (DescriptorError, PlanError if it is wrong)."""
    loaded = load(file, overrides)
    return Side(str(file), loaded, make_plan(loaded.benchmark))


def find_baseline(name: str, file: Path, overrides: Sequence[str], open_run: Callable[[str], RunFolder]) -> Side:
    """Return a baseline by its name: a benchmark file, or a stored run's id or folder.

    Args:
        name: The name.
        file: The candidate's file: inputs of a stored run are relative to its folder.
        overrides: What is changed in a baseline that is a file.
        open_run: Returns a stored run (UsageError if there is none).

    Raises:
        UsageError: There is no such run, or it cannot be made again: an input is another one now.
        DescriptorError, PlanError: The file is wrong, or what is kept of the run makes no benchmark.
    """
    if Path(name).is_file():
        return file_side(Path(name), overrides)
    return run_side(open_run(name), file.parent)


def run_side(run: RunFolder, base: Path) -> Side:
    """Return the side that makes a stored run again: its benchmark, its images by digest, its inputs by hash.

    Args:
        run: The run.
        base: The folder that its inputs' paths are relative to.

    Raises:
        UsageError: An input is another one now.
        DescriptorError, PlanError: What is kept of it makes no benchmark, such as one whose secrets were taken out.
    """
    record = run.read_record()
    text = (run.path / "benchmark.toml").read_text(encoding="utf-8")
    loaded = parse(text, base / f"{record.run_id}.toml", record.overrides, is_whole=record.sweep is None)
    plan = make_plan(loaded.benchmark)
    environment = read_json(run, "environment.json")
    steps = tuple(_with_image(step, environment.get("images", {})) for step in plan.steps)
    inputs = tuple(_as_fetched(item, run, base) for item in plan.inputs)
    return Side(f"run {record.run_id}", loaded, replace(plan, steps=steps, inputs=inputs), run)


def _with_image(step: Step, images: Mapping[str, Any]) -> Step:
    """Return a step that runs of the very image that it ran of, whatever that is called now."""
    told = images.get(step.name)
    # Docker runs an image by its id; a cluster's nodes know images by names alone, and are asked afterwards.
    ident = told.get("id") if isinstance(told, dict) and "image" in told else None
    return replace(step, program=replace(step.program, image=ident)) if ident else step


def _as_fetched(item: InputFile, run: RunFolder, base: Path) -> InputFile:
    """Return an input that has to be what it was (UsageError if it is a file here, and another one now)."""
    told = (line for line in run.lines("events") if line["type"] == "input_fetched" and line.get("message") == item.src)
    digest = next((str(line["data"]["sha256"]) for line in told), None)
    if digest is None:
        return item
    path = base / item.src
    if "://" not in item.src and path.is_file() and (now := digest_of(path)) != digest:
        raise UsageError(f"input {item.src} is another one now: {now[:12]}…, and was {digest[:12]}… in {run.run_id}")
    return replace(item, sha256=digest)


def check_alike(baseline: Side, candidate: Side) -> None:
    """Check that both sides are measured alike: by the same metrics, as often, of one strategy.

    Raises:
        UsageError: They are not; it is said in what.
    """
    for key, values in _ways_to_measure(baseline.plan).items():
        if (other := _ways_to_measure(candidate.plan).get(key)) != values:
            raise UsageError(
                f"the sides are measured in other ways: {key} is {values} of {baseline.source}, and {other}"
            )


def _ways_to_measure(plan: Plan) -> dict[str, Any]:
    (job,) = plan.jobs
    metrics = {metric.name or f"parser {metric.parser}": metric for metric in job.metrics}
    return {
        "the strategy": plan.strategy,
        "run.warmup": job.warmup,
        "run.repeats": job.repeats,
        "the metrics": sorted(metrics),
        **{f"the metric {name}": metric for name, metric in metrics.items()},
    }

"""Whether a run's numbers can be trusted, and if not, why."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime

from windtunnel.analysis.flaws import MINIMUM_ITERATIONS, Flaws
from windtunnel.errors import ExitCode, InvalidResult, WindtunnelError
from windtunnel.parsers import PARSERS
from windtunnel.plan import Plan
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import MetricSummary, Phase, Usage, Validity

STARVED_SHARE = 0.25
STARVED_CORES = 0.2


def missing_samples(
    plan: Plan, metrics: Mapping[str, MetricSummary], *, was_unread: bool = False
) -> InvalidResult | None:
    """Return the error of a run that came to its end without what it had to measure.

    Args:
        plan: What was to be measured.
        metrics: What was measured.
        was_unread: Whether there were values that could not be read.
    """
    jobs = ", ".join(job.name for job in plan.jobs)
    if not metrics:
        nothing = "nothing matched [[metrics]], and $WINDTUNNEL_METRICS has none"
        return InvalidResult(
            f"{jobs} gave no samples: {'what it measured could not be read' if was_unread else nothing}",
            code="no_samples",
            step=plan.jobs[-1].name,
        )
    names = {name.partition("{")[0] for name in metrics}
    for job in plan.jobs:
        lacking = [spec.name for spec in job.metrics if spec.name and spec.name not in names]
        lacking += [
            f"what {spec.parser} prints"
            for spec in job.metrics
            if spec.parser and not spec.name and not names & set(PARSERS[spec.parser].metrics)
        ]
        if lacking:
            return InvalidResult(
                f"{job.name} gave no samples of {', '.join(lacking)}", code="no_samples", step=job.name
            )
    return None


def summarise_usage(samples: Sequence[UsageSample], phases: Sequence[Phase]) -> dict[str, Usage]:
    """Return what each step used while kept iterations ran; steps too short to be seen are left out."""
    windows = sorted(_window(phase) for phase in phases if phase.phase == "run" and not phase.warmup)
    begins = [begin for begin, _end in windows]
    by_step: dict[str, list[UsageSample]] = {}
    for sample in samples:
        # A sample covers the interval before its time; most of it has to lie in an iteration.
        middle = sample.time - sample.seconds / 2
        index = bisect_right(begins, middle) - 1
        if index >= 0 and middle <= windows[index][1]:
            by_step.setdefault(sample.step, []).append(sample)
    return {step: _usage(group) for step, group in by_step.items()}


def has_measured(phases: Sequence[Phase]) -> bool:
    """Tell whether a measuring command was started; without one there is nothing to judge."""
    return any(phase.phase == "run" for phase in phases)


def judge(
    cause: WindtunnelError | None,
    plan: Plan,
    metrics: Mapping[str, MetricSummary],
    usage: Mapping[str, Usage],
    flaws: Flaws,
) -> tuple[Validity, list[str]]:
    """Return the verdict on the numbers of a run that `has_measured`, and the reasons, the worst first.

    ``invalid``: there are no samples, a service died, or the measurements have an error.
    ``suspect``: the run did not come to its end, the measurements are in doubt, there are too
    few iterations for an interval, values are missing, a step was traced, or one was starved
    of CPU (which a tracer looks like, too: of a traced step it is not told).
    """
    if invalid := _why_invalid(cause, metrics, flaws):
        return "invalid", list(dict.fromkeys([*invalid, *flaws.doubts]))
    reasons = [f"the run ended early: {cause.message}"] if cause else []
    reasons += flaws.doubts
    reasons += _too_few_iterations(metrics)
    # A run that ended early lacks values for that reason alone.
    reasons += [] if cause else _missing_values(plan, metrics)
    reasons += _disturbed_steps(plan, usage)
    return ("suspect" if reasons else "valid"), reasons


def _why_invalid(cause: WindtunnelError | None, metrics: Mapping[str, MetricSummary], flaws: Flaws) -> list[str]:
    """Return why the numbers mean nothing, the worst reason first; nothing if they mean something."""
    errors = [error.message for error in flaws.errors]
    if cause and cause.exit_code == ExitCode.INVALID:
        return [cause.message, *errors]
    if not metrics:
        errors.append("there are no samples")
    return [*errors, cause.message] if errors and cause else errors


def _too_few_iterations(metrics: Mapping[str, MetricSummary]) -> list[str]:
    most = max(metric.n for metric in metrics.values())
    if most >= MINIMUM_ITERATIONS:
        return []
    plural = "iteration has" if most == 1 else "iterations have"
    return [f"{most} {plural} no confidence interval worth the name; run.repeats = {MINIMUM_ITERATIONS} or more"]


def _missing_values(plan: Plan, metrics: Mapping[str, MetricSummary]) -> list[str]:
    repeats = max(job.repeats for job in plan.jobs)
    return [
        f"{name}: {metric.n} of {repeats} iterations have a value"
        for name, metric in metrics.items()
        if metric.n < repeats
    ]


def _disturbed_steps(plan: Plan, usage: Mapping[str, Usage]) -> list[str]:
    traced = [step.name for step in plan.steps if step.program.trace]
    reasons = [f"{step} was traced: recording its system calls makes each of them slower" for step in traced]
    # A tracer makes a step look starved, too.
    return reasons + [
        _starvation(step, used) for step, used in usage.items() if step not in traced and is_starved(used)
    ]


def is_starved(used: Usage) -> bool:
    """Tell whether a step often could have run and had no CPU.

    Both hold: of the time that it was runnable it waited more than a quarter, and that
    was more than a fifth of a core.
    """
    wait = used.cpu_wait_mean
    return wait is not None and wait > STARVED_CORES and wait > STARVED_SHARE * (used.cpu_mean + wait)


def _starvation(step: str, used: Usage) -> str:
    wait = used.cpu_wait_mean or 0.0
    return f"{step} was starved of CPU: it used {used.cpu_mean:.2f} cores and waited for {wait:.2f} more"


def _usage(samples: Sequence[UsageSample]) -> Usage:
    seconds = sum(sample.seconds for sample in samples)
    waits = [(sample.cpu_wait, sample.seconds) for sample in samples if sample.cpu_wait is not None]
    waited = sum(wait * length for wait, length in waits)
    return Usage(
        cpu_mean=round(sum(sample.cpu * sample.seconds for sample in samples) / seconds, 4),
        # A closing stretch of a few ticks is too short for a maximum.
        cpu_max=max((sample.cpu for sample in samples if sample.processes), default=samples[0].cpu),
        cpu_wait_mean=round(waited / sum(length for _wait, length in waits), 4) if waits else None,
        memory_max=max(sample.memory for sample in samples),
    )


def _window(phase: Phase) -> tuple[float, float]:
    begin = datetime.fromisoformat(phase.started).timestamp()
    return begin, begin + phase.seconds

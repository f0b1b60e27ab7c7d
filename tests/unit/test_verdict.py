"""Whether numbers can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from windtunnel.analysis.flaws import Flaws
from windtunnel.analysis.statistics import summarise
from windtunnel.analysis.verdict import has_measured, is_starved, judge, missing_samples, summarise_usage
from windtunnel.errors import BenchmarkFailed, InvalidResult, TimedOut
from windtunnel.plan import Job, MetricSpec, Plan, Program
from windtunnel.run.events import timestamp
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import MetricSummary, Phase, Usage
from windtunnel.run.samples import Sample

ORIGIN = 1_700_000_000.0
RAN = [Phase(step="client", phase="run", iteration=1, started=timestamp(ORIGIN), seconds=10.0)]
NONE = Flaws()
IDLE = Usage(cpu_mean=0.5, cpu_max=1.0, cpu_wait_mean=0.0, memory_max=1)


def plan(*metrics: str, repeats: int = 3) -> Plan:
    """Return the plan of one job that measures these metrics."""
    specs = tuple(MetricSpec(name=name) for name in metrics)
    job = Job(name="client", program=Program(command=("measure",)), repeats=repeats, metrics=specs)
    return Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))


def measured(**counts: int) -> dict[str, MetricSummary]:
    """Return summaries of metrics with so many iterations each."""
    samples = [
        Sample(name, float(iteration), None, iteration, 0.0, "client")
        for name, count in counts.items()
        for iteration in range(1, count + 1)
    ]
    return summarise(samples, plan())


def usage(
    time: float, seconds: float = 1.0, cpu: float = 1.0, wait: float | None = 0.0, memory: int = 1
) -> UsageSample:
    """Return a usage sample that ends so many seconds after the origin."""
    return UsageSample("server", ORIGIN + time, seconds, cpu, wait, memory, 1)


def test_a_whole_run_is_valid() -> None:
    """Three iterations, all with values, nobody starved: there is nothing to say."""
    assert judge(None, plan(), measured(rate=3), {"client": IDLE}, NONE) == ("valid", [])


@pytest.mark.parametrize("phase", ["start", "ready", "stop"])
def test_without_a_measuring_command_there_is_no_verdict(phase: str) -> None:
    """What ended before any iteration began has no numbers to judge."""
    assert has_measured(RAN)
    assert not has_measured([RAN[0].model_copy(update={"phase": phase, "step": "server"})])
    assert not has_measured([])


def test_a_dead_service_makes_invalid() -> None:
    """Its death is the one reason, although there are numbers."""
    cause = InvalidResult("server died", code="server_died", step="server")
    assert judge(cause, plan(), measured(rate=3), {}, NONE) == ("invalid", ["server died"])


def test_no_samples_make_invalid() -> None:
    """What ended the run is a reason too."""
    assert judge(None, plan(), {}, {}, NONE) == ("invalid", ["there are no samples"])
    failed = judge(BenchmarkFailed("it failed"), plan(), {}, {}, NONE)
    assert failed == ("invalid", ["there are no samples", "it failed"])


def test_an_early_end_makes_suspect() -> None:
    """Numbers that were measured before a failure are kept, with the reason; that some lack is no second one."""
    verdict = judge(TimedOut("too slow"), plan(repeats=5), measured(rate=3), {}, NONE)
    assert verdict == ("suspect", ["the run ended early: too slow"])


@pytest.mark.parametrize(("count", "words"), [(1, "1 iteration has no"), (2, "2 iterations have no")])
def test_too_few_iterations_make_suspect(count: int, words: str) -> None:
    """Below three the interval is not worth its name, and the reason says what to set."""
    validity, (reason,) = judge(None, plan(repeats=count), measured(rate=count), {}, NONE)
    assert validity == "suspect"
    assert reason.startswith(words)
    assert "run.repeats = 3" in reason


def test_missing_values_make_suspect() -> None:
    """A metric that some iterations did not give is named with its count."""
    verdict = judge(None, plan(repeats=4), measured(rate=4, errors=2), {}, NONE)
    assert verdict == ("suspect", ["errors: 2 of 4 iterations have a value"])


def test_a_starved_step_makes_suspect() -> None:
    """The reason has the step, what it used and what it lacked."""
    starved = Usage(cpu_mean=1.0, cpu_max=1.0, cpu_wait_mean=0.5, memory_max=1)
    verdict = judge(None, plan(), measured(rate=3), {"client": IDLE, "server": starved}, NONE)
    assert verdict == ("suspect", ["server was starved of CPU: it used 1.00 cores and waited for 0.50 more"])


def test_all_reasons_are_told() -> None:
    """The early end comes first."""
    starved = Usage(cpu_mean=0.1, cpu_max=1.0, cpu_wait_mean=0.5, memory_max=1)
    validity, reasons = judge(TimedOut("late"), plan(), measured(rate=1), {"client": starved}, NONE)
    assert validity == "suspect"
    assert [reason.split()[0] for reason in reasons] == ["the", "1", "client"]


@pytest.mark.parametrize(
    ("mean", "wait", "starved"),
    [
        (0.0, 0.2, False),
        (0.0, 0.21, True),
        (0.9, 0.3, False),
        (0.9, 0.31, True),
        (3.0, 1.0, False),
        (3.0, 1.01, True),
        (1.0, None, False),
    ],
)
def test_starvation_needs_a_share_and_an_amount(mean: float, wait: float | None, *, starved: bool) -> None:
    """More than a quarter of the runnable time, and more than a fifth of a core."""
    assert is_starved(Usage(cpu_mean=mean, cpu_max=9.0, cpu_wait_mean=wait, memory_max=1)) is starved


def test_usage_is_weighted_by_time() -> None:
    """Means go by seconds, maxima are over the samples."""
    found = summarise_usage([usage(1, 1.0, 2.0, 0.4, 7), usage(4, 3.0, 1.0, 0.0, 5)], RAN)
    assert found == {"server": Usage(cpu_mean=1.25, cpu_max=2.0, cpu_wait_mean=0.1, memory_max=7)}


def test_usage_outside_of_kept_iterations_does_not_count() -> None:
    """Most of a sample has to lie in an iteration that is not a warm-up."""
    warmup = Phase(step="client", phase="run", warmup=True, started=timestamp(ORIGIN - 50), seconds=20.0)
    ready = Phase(step="server", phase="ready", started=timestamp(ORIGIN - 25), seconds=20.0)
    outside = [usage(-40), usage(-20), usage(0.4), usage(10.6)]
    assert summarise_usage(outside, [*RAN, warmup, ready]) == {}
    assert set(summarise_usage([*outside, usage(10.4)], [*RAN, warmup, ready])) == {"server"}


@pytest.mark.parametrize(("waits", "mean"), [((None, None), None), ((0.2, 0.4), 0.3)])
def test_waiting_is_unknown_where_the_kernel_does_not_tell(waits: Sequence[float | None], mean: float | None) -> None:
    """Without any reading the mean is null, not zero."""
    found = summarise_usage([usage(1, wait=waits[0]), usage(2, wait=waits[1])], RAN)
    assert found["server"].cpu_wait_mean == mean


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        (("rate",), {}, "client gave no samples: nothing matched"),
        ((), {}, "client gave no samples: nothing matched"),
        (("rate", "errors", "time"), {"rate": 3}, "client gave no samples of errors, time"),
    ],
)
def test_a_run_without_what_it_had_to_measure_is_an_error(
    wanted: Sequence[str], found: dict[str, int], words: str
) -> None:
    """The error says which metrics lack."""
    error = missing_samples(plan(*wanted), measured(**found))
    assert error is not None
    assert error.message.startswith(words)
    assert (error.code, error.step, error.exit_code) == ("no_samples", "client", 5)


def test_a_labelled_series_is_its_metric() -> None:
    """A metric whose samples have labels is there, and one that nobody declared harms nothing."""
    samples = [Sample("rate", 1.0, None, 1, 0.0, "client", {"test": name}) for name in ("GET", "SET")]
    samples.append(Sample("other", 1.0, None, 1, 0.0, "client"))
    assert missing_samples(plan("rate"), summarise(samples, plan())) is None


def test_a_traced_step_makes_suspect_and_hides_starvation() -> None:
    """Its numbers are slower, and a tracer looks like a lack of CPU; of other steps that is still told."""
    starved = Usage(cpu_mean=0.1, cpu_max=0.2, cpu_wait_mean=0.9, memory_max=1)
    job = Job(name="client", program=Program(command=("measure",), trace=True), repeats=3)
    traced = Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))
    validity, reasons = judge(None, traced, measured(rate=3), {"client": starved, "server": starved}, NONE)

    assert validity == "suspect"
    assert reasons[0] == "client was traced: recording its system calls makes each of them slower"
    assert [reason.partition(" was ")[0] for reason in reasons] == ["client", "server"]


def test_a_doubt_that_was_told_makes_the_result_suspect() -> None:
    """Its words are the reason."""
    verdict = judge(None, plan(), measured(rate=3), {"client": IDLE}, Flaws(doubts=["client.2 ran beside another"]))
    assert verdict == ("suspect", ["client.2 ran beside another"])


def test_a_closing_stretch_is_no_maximum() -> None:
    """A few ticks in which a step ended look like many cores; memory counts all the same."""
    closing = dataclasses.replace(usage(9.0, 0.01, 18.3, memory=9), processes=0)
    assert summarise_usage([usage(5.0), closing], RAN)["server"].cpu_max == 1.0
    assert summarise_usage([closing], RAN)["server"].cpu_max == 18.3
    assert summarise_usage([usage(5.0), closing], RAN)["server"].memory_max == 9


def test_a_parser_that_found_nothing_is_missed_whatever_else_was_found() -> None:
    """All that it gives is wanted, so any of it will do."""
    job = Job(name="client", program=Program(command=("measure",)), metrics=(MetricSpec(name=None, parser="wrk"),))
    asked = Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))
    error = missing_samples(asked, measured(rate=3))
    assert error is not None
    assert error.message == "client gave no samples of what wrk prints"
    assert missing_samples(asked, measured(requests=3)) is None

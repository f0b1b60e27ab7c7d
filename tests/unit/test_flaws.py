"""What is wrong with measurements themselves, and what the verdict makes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.outputs import OUTPUTS
from support.recorded import outcome
from windtunnel.analysis.flaws import Flaws, find_flaws
from windtunnel.analysis.recover import recover
from windtunnel.analysis.statistics import summarise
from windtunnel.analysis.verdict import judge
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.errors import TimedOut
from windtunnel.plan import Job, MetricSpec, Plan, Program
from windtunnel.run.extraction import Source, extract
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.samples import Sample
from windtunnel.run.tally import Tally

RunRecorded = Callable[..., RunRecord]
PLAN = Plan(
    benchmark="b",
    strategy="single-node",
    timeout=1.0,
    steps=(Job(name="client", program=Program(command=("measure",)), repeats=3),),
)


def sample(value: float, iteration: int = 1, unit: str | None = "ms", metric: str = "latency", **labels: str) -> Sample:
    """Return a sample of the client."""
    return Sample(metric, value, unit, iteration, 0.0, "client", labels)


def flaws(samples: Sequence[Sample], *tallies: Tally) -> Flaws:
    """Return what is wrong with samples."""
    return find_flaws(samples, tallies, summarise(samples, PLAN), [])


def test_a_metric_in_two_units_is_an_error() -> None:
    """The mean of 5 ms and 0.005 s is no time."""
    found = flaws([sample(5), sample(0.005, 2, "s"), sample(5, 3)])
    (error,) = found.errors
    assert (error.code, error.step, error.exit_code) == ("mixed_units", "client", 5)
    assert error.message == "latency is partly in ms and partly in s"
    assert judge(None, PLAN, summarise([sample(1)], PLAN), {}, found)[0] == "invalid"


def test_a_unit_that_some_values_lack_is_a_doubt() -> None:
    """It is most likely the same one; with two others it is not."""
    assert flaws([sample(5), sample(5, 2, None)]) == Flaws([], ["latency is partly in ms and partly without a unit"])
    assert len(flaws([sample(5), sample(5, 2, None), sample(5, 3, "s")]).errors) == 1


def test_series_may_have_units_of_their_own() -> None:
    """Those of other labels, and of warm-up, are no mean's."""
    labelled = [sample(5, kind="time"), sample(7, unit="B", kind="size")]
    warmup = Sample("latency", 5.0, "s", 1, 0.0, "client", warmup=True)
    assert flaws(labelled) == flaws([warmup, sample(5, 2)]) == Flaws([], [])


@pytest.mark.parametrize("kept", [True, False])
def test_values_that_could_not_be_read_are_a_doubt_with_counts(*, kept: bool) -> None:
    """Of all kept iterations together; those of a warm-up are none."""
    tallies = [Tally("client", number, warmup=not kept) for number in (1, 2)]
    for tally in tallies:
        for _ in range(9):
            tally.miss("latency", "latency: 'nan' is not a number")
    tallies[0].read["latency"] = 1
    tallies[1].miss("$WINDTUNNEL_METRICS", "no JSON")
    words = ["18 of 19 values of latency could not be read", "1 of 1 lines of $WINDTUNNEL_METRICS could not be read"]
    assert flaws([], *tallies) == Flaws([], words if kept else [])


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        (MetricSpec(name="requests", pattern=r"(\d+) requests in"), "its pattern"),
        (MetricSpec(name="requests", parser="wrk"), "wrk"),
        (MetricSpec(name=None, parser="wrk"), "wrk"),
    ],
)
def test_a_metric_with_two_sources_is_an_error(tmp_path: Path, spec: MetricSpec, source: str) -> None:
    """What the client writes under a name that something else gives would be in one series with that."""
    file = tmp_path / "metrics.jsonl"
    file.write_text("\n".join(json.dumps({"metric": name, "value": 7}) for name in ("requests", "other")), "utf-8")
    tally = Tally("client", 1)
    list(extract(Source((spec,), OUTPUTS / "wrk_plain.txt", file, tally)))
    (error,) = flaws([], tally).errors
    assert (error.code, error.step) == ("two_sources", "client")
    assert error.message == f"requests has two sources, {source} and $WINDTUNNEL_METRICS: give one of them another name"


@pytest.mark.parametrize(
    "spec", [MetricSpec(name="requests", unit="count"), MetricSpec(name="latency_mean", parser="wrk")]
)
def test_a_metric_with_one_source_is_none(tmp_path: Path, spec: MetricSpec) -> None:
    """Declared to be written by the client, or not among what is asked of a parser."""
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"metric": "requests", "value": 7}\n', encoding="utf-8")
    tally = Tally("client", 1)
    list(extract(Source((spec,), OUTPUTS / "wrk_plain.txt", file, tally)))
    assert flaws([], tally) == Flaws([], [])


@pytest.mark.parametrize(
    ("metric", "values", "is_wide"),
    [
        ("rate", [1.0, 2.0, 3.0], True),
        ("rate", [-1.0, -2.0, -3.0], True),
        ("rate", [10.0, 11.0, 12.0], False),
        ("rate", [1.0, 2.0], False),
        ("rate", [1.0], False),
        ("rate", [0.0, 0.0, 0.0], False),
        ("drift", [-1.0, 2.0, 0.5], False),
        ("errors", [0.0, 0.0, 3.0], False),
        ("failures", [1.0, 2.0, 9.0], False),
        ("latency_max", [1.0, 2.0, 9.0], False),
        ("latency_p99", [1.0, 2.0, 9.0], True),
    ],
)
def test_a_mean_that_is_hardly_known_is_a_doubt(metric: str, values: list[float], *, is_wide: bool) -> None:
    """Where ± is more than the mean, unless that is about zero, or of rare events or extremes."""
    found = flaws([sample(value, number, metric=metric) for number, value in enumerate(values, start=1)])
    assert [doubt.partition(":")[0] for doubt in found.doubts] == ([metric] if is_wide else [])


def test_the_width_is_told() -> None:
    """Per cent of the mean: 1, 2 and 3 have the interval 2 ± 2.48."""
    (words,) = flaws([sample(float(number), number) for number in (1, 2, 3)]).doubts
    assert words == "latency: the mean is known to ± 124% only; more iterations (run.repeats) would narrow it"


def test_flaws_are_reasons() -> None:
    """Errors first, then what ended the run, then doubts; what is in doubt is in doubt of an invalid result too."""
    found = flaws([sample(5), sample(5, 2, "s")], Tally("client", 1, unread=Counter(rate=2)))
    summary = summarise([sample(5)], PLAN)
    assert judge(TimedOut("late"), PLAN, summary, {}, found) == (
        "invalid",
        ["latency is partly in ms and partly in s", "late", "2 of 2 values of rate could not be read"],
    )
    assert judge(found.errors[0], PLAN, summary, {}, found)[1] == [found.errors[0].message, *found.doubts]


def test_dropped_values_make_a_run_suspect(run_recorded: RunRecorded, single_node: str) -> None:
    """Eighteen of nineteen that are no numbers are not made up for by the nineteenth."""
    text = single_node.replace(r"([\d.]+)", r"(\S+)") + "\n[run]\nrepeats = 3\n"
    output = "rate=5\n" + "rate=nan\n" * 18
    record = run_recorded(text, RecordingBackend({"client": [Outcome(output)]}))
    assert outcome(record) == (0, "succeeded", None, "suspect")
    assert record.reasons == ["54 of 57 values of rate could not be read"]


def test_a_run_of_which_no_value_could_be_read_says_so(run_recorded: RunRecorded, single_node: str) -> None:
    """Its pattern did match, and is not to be looked into."""
    text = single_node.replace(r"([\d.]+)", r"(\S+)") + "\n[run]\nrepeats = 3\n"
    record = run_recorded(text, RecordingBackend({"client": [Outcome("rate=1,234\n")]}))
    message = "client gave no samples: what it measured could not be read"
    assert outcome(record) == (5, "failed", "no_samples", "invalid")
    assert record.reasons == [message, "3 of 3 values of rate could not be read"]


def test_a_lost_run_has_its_flaws(run_recorded: RunRecorded, single_node: str) -> None:
    """They are in its events, so that a driver's death does not hide them."""
    wrk = "[[metrics]]\nparser = 'wrk'\nname = 'latency_mean'\n"
    text = single_node.replace(r"([\d.]+)", r"(\S+)") + wrk + "\n[run]\nrepeats = 3\n"
    output = (OUTPUTS / "wrk_404.txt").read_text(encoding="utf-8") + "rate=x\nrate=7\n"
    record = run_recorded(text, RecordingBackend({"client": [Outcome(output)]}))
    lost = record.model_copy(update={"status": "lost", "metrics": {}, "failures": [], "reasons": []})
    found = recover(RunFolder(Path(record.path or "")), lost)
    assert found.failures == record.failures
    assert found.validity == "invalid"
    assert found.reasons[1:] == record.reasons

"""From samples to a metric's summary, against known series."""

from __future__ import annotations

import math

import pytest
from scipy.special import stdtrit

from windtunnel.analysis.statistics import by_series, confidence_interval, percentiles, summarise
from windtunnel.analysis.student import quantile_975
from windtunnel.plan import Job, MetricSpec, Plan, Program
from windtunnel.plan import Reduce as ReduceName
from windtunnel.run.numbers import LARGEST
from windtunnel.run.record import MetricSummary
from windtunnel.run.samples import Sample

# "Student", The probable error of a mean, Biometrika 6 (1908): additional hours of sleep.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def plan(*metrics: MetricSpec) -> Plan:
    """Return the plan of one job with these metrics."""
    job = Job(name="client", program=Program(command=("measure",)), metrics=metrics)
    return Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))


def sample(value: float, iteration: int = 1, metric: str = "rate", *, warmup: bool = False, **labels: str) -> Sample:
    """Return a sample of the client."""
    return Sample(metric, value, "1/s", iteration, 0.0, "client", labels, warmup)


def summary(samples: list[Sample], *metrics: MetricSpec) -> MetricSummary:
    """Return the summary of the one metric that there is."""
    (found,) = summarise(samples, plan(*metrics)).values()
    return found


def test_a_known_series_comes_back_exactly() -> None:
    """Mean, median, stdev and interval are those of the values one to five."""
    found = summary([sample(value, iteration) for iteration, value in enumerate([4.0, 1.0, 5.0, 2.0, 3.0], start=1)])
    assert (found.n, found.samples, found.mean, found.median) == (5, 5, 3.0, 3.0)
    assert found.values == [4.0, 1.0, 5.0, 2.0, 3.0]
    assert found.stdev == pytest.approx(1.5811388300841898)
    # t(0.975, 4) = 2.776445 times the standard error 0.7071068
    assert found.ci95 == pytest.approx((1.0367568, 4.9632432), abs=1e-6)


def test_the_interval_is_students() -> None:
    """The interval of Student's own example is the one that textbooks give."""
    assert confidence_interval(SLEEP) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def test_the_interval_of_two_values_is_wide() -> None:
    """With one degree of freedom t is 12.7062."""
    assert confidence_interval([9.0, 11.0]) == pytest.approx((-2.7062, 22.7062), abs=1e-4)


@pytest.mark.parametrize("freedom", [*range(1, 41), 60, 100, 1000, 10**6])
def test_quantiles_of_student_are_those_of_scipy(freedom: int) -> None:
    """Those of the table, and those of the expansion."""
    assert quantile_975(freedom) == pytest.approx(float(stdtrit(freedom, 0.975)), rel=2e-8)


def test_one_value_has_no_spread() -> None:
    """Below two iterations there is neither stdev nor interval, and all percentiles are the value."""
    found = summary([sample(7.0)])
    assert (found.n, found.mean, found.median, found.stdev, found.ci95) == (1, 7.0, 7.0, None, None)
    assert (found.p50, found.p90, found.p99) == (7.0, 7.0, 7.0)


def test_equal_values_have_no_width() -> None:
    """The interval of a constant is that constant."""
    found = summary([sample(2.5, iteration) for iteration in (1, 2, 3)])
    assert (found.stdev, found.ci95) == (0.0, (2.5, 2.5))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([float(value) for value in range(1, 11)], (5.5, 9.1, 9.91)),
        ([float(value) for value in range(1, 102)], (51.0, 91.0, 100.0)),
        ([20.0, 10.0], (15.0, 19.0, 19.9)),
        ([3.0], (3.0, 3.0, 3.0)),
    ],
)
def test_percentiles_are_of_type_seven(values: list[float], expected: tuple[float, float, float]) -> None:
    """They are interpolated linearly between the order statistics, as R and NumPy do."""
    assert percentiles(values) == pytest.approx(expected, rel=1e-12)


def test_percentiles_are_over_all_samples_and_the_rest_over_iterations() -> None:
    """Two iterations of many samples have n = 2."""
    samples = [sample(float(value), 1 + value // 51) for value in range(101)]
    found = summary(samples)
    assert (found.n, found.samples) == (2, 101)
    assert found.values == [25.0, 75.5]
    assert (found.p50, found.p90, found.p99) == pytest.approx((50, 90, 99))


@pytest.mark.parametrize(
    ("reduce", "value"), [("median", 2.0), ("mean", 3.0), ("max", 7.0), ("sum", 12.0), ("last", 1.0)]
)
def test_each_reduction_makes_one_value_of_an_iteration(reduce: ReduceName, value: float) -> None:
    """The matches 7, 2, 2, 1 of one iteration are reduced as the metric says."""
    samples = [sample(7.0), sample(2.0), sample(2.0), sample(1.0)]
    found = summary(samples, MetricSpec(name="rate", reduce=reduce))
    assert found.values == [value]
    assert found.samples == 4


def test_the_median_is_the_default() -> None:
    """A metric that nobody declared is reduced by its median."""
    assert summary([sample(9.0), sample(1.0), sample(2.0)]).values == [2.0]


def test_warm_up_does_not_count() -> None:
    """Samples of warm-up iterations are in no number, and alone make no metric."""
    found = summary([sample(100.0, 1, warmup=True), sample(1.0, 2), sample(3.0, 3)])
    assert (found.n, found.samples, found.values) == (2, 2, [1.0, 3.0])
    assert found.p99 == pytest.approx(2.98)
    assert summarise([sample(100.0, warmup=True)], plan()) == {}


def test_iterations_are_in_their_order() -> None:
    """Values go by the iteration's number, in whatever order samples come."""
    assert summary([sample(3.0, 3), sample(1.0, 1), sample(2.0, 2)]).values == [1.0, 2.0, 3.0]


def test_labels_make_series() -> None:
    """A metric whose samples differ in labels is a metric for each; the name lists the labels in order."""
    samples = [sample(1.0, z="1", test="GET"), sample(2.0, z="1", test="SET"), sample(3.0, 2, z="1", test="GET")]
    found = summarise(samples, plan())
    assert {name: item.values for name, item in found.items()} == {
        "rate{test=GET,z=1}": [1.0, 3.0],
        "rate{test=SET,z=1}": [2.0],
    }


def test_labels_that_are_all_the_same_are_not_in_the_name() -> None:
    """One series keeps the metric's plain name."""
    assert list(summarise([sample(1.0, test="GET"), sample(2.0, 2, test="GET")], plan())) == ["rate"]


def test_metrics_come_in_the_order_of_their_samples() -> None:
    """The first that was measured is the first in the summary."""
    samples = [sample(1.0, metric="b"), sample(1.0, metric="a"), sample(1.0, metric="b")]
    assert list(summarise(samples, plan())) == ["b", "a"]


def test_unit_and_direction_are_the_declared_ones() -> None:
    """What a metric's declaration says stands in its summary."""
    samples = [Sample("rate", 1.0, None, 1, 0.0, "client")]
    found = summary(samples, MetricSpec(name="rate", unit="MB/s", better="higher"))
    assert (found.unit, found.better) == ("MB/s", "higher")


@pytest.mark.parametrize("name", ["latency_p50", None])
def test_a_parser_knows_the_direction_of_its_metrics(name: str | None) -> None:
    """Nobody has to say that a latency is better when it is lower."""
    spec = MetricSpec(name=name, parser="redis-benchmark")
    assert summary([sample(1.0, metric="latency_p50")], spec).better == "lower"


def test_the_declared_direction_wins_over_the_parsers() -> None:
    """What the file says counts."""
    spec = MetricSpec(name="latency_p50", parser="redis-benchmark", better="higher")
    assert summary([sample(1.0, metric="latency_p50")], spec).better == "higher"


def test_large_numbers_keep_their_digits() -> None:
    """Sums do not lose what is small beside what is large."""
    samples = [sample(1e16), sample(1.0), sample(-1e16)]
    assert summary(samples, MetricSpec(name="rate", reduce="sum")).values == [1.0]


def test_labels_that_look_like_others_are_series_of_their_own() -> None:
    """What could be taken for more than one label is quoted; ordinary labels are as they are."""
    samples = [sample(1.0, a="1,b=2"), sample(100.0, a="1", b="2"), sample(3.0, a="GET /x y"), sample(4.0, a='"1"')]
    names = ['rate{a="1,b=2"}', "rate{a=1,b=2}", "rate{a=GET /x y}", 'rate{a="\\"1\\""}']
    assert list(summarise(samples, plan())) == names


def test_control_characters_of_labels_are_not_printed() -> None:
    """A terminal would obey them."""
    samples = [sample(1.0, a="\x1b[31m\x7f"), sample(2.0, a="ü")]
    assert list(summarise(samples, plan())) == [r'rate{a="\u001b[31m\u007f"}', "rate{a=ü}"]


def test_a_metric_named_like_a_series_is_not_in_it() -> None:
    """Names of a client's own may have braces."""
    samples = [sample(1.0, a="1"), sample(2.0, a="2"), sample(100.0, metric="rate{a=1}"), sample(5.0, metric="x{y=1}")]
    found = summarise(samples, plan())
    assert {name: item.values for name, item in found.items()} == {
        "rate{a=1}": [1.0],
        "rate{a=2}": [2.0],
        '"rate{a=1}"': [100.0],
        "x{y=1}": [5.0],
    }


def test_a_label_of_warm_up_alone_makes_no_series() -> None:
    """A warm-up that was called otherwise does not change what kept iterations are called."""
    samples = [sample(9.0, 1, warmup=True, test="WARM"), sample(1.0, 2, test="GET"), sample(2.0, 3, test="GET")]
    assert list(summarise(samples, plan())) == ["rate"]
    assert list(by_series(samples)) == ["rate"]


def test_the_unit_of_the_values_wins_over_the_declared_one() -> None:
    """The program knows in what it printed them."""
    assert summary([sample(1.0)], MetricSpec(name="rate", unit="MB/s")).unit == "1/s"


def test_a_direction_without_a_name_is_nobodys() -> None:
    """Plans of old may have it: what is better for a rate is not for a latency."""
    spec = MetricSpec(name=None, parser="redis-benchmark", better="higher")
    assert summary([sample(1.0, metric="latency_p50")], spec).better == "lower"


def test_the_largest_numbers_have_statistics() -> None:
    """What is as large as can be read does not overflow."""
    found = summary([sample(value, number) for number, value in enumerate([LARGEST, -LARGEST, LARGEST], start=1)])
    numbers = [found.mean, found.stdev, *(found.ci95 or ()), found.p50, found.p90, found.p99]
    assert all(math.isfinite(number or math.inf) for number in numbers)


def test_a_metric_of_nobody_is_not_reduced_as_a_parsers() -> None:
    """What the benchmark says of a parser's metric, or of all of them, is not said of the client's own."""
    for spec in (
        MetricSpec(name="requests", parser="wrk", reduce="sum"),
        MetricSpec(name=None, parser="wrk", reduce="sum"),
    ):
        assert summary([sample(1.0), sample(3.0)], spec).values == [2.0]
    whole = MetricSpec(name=None, parser="wrk", reduce="sum")
    assert summary([sample(1.0, metric="requests"), sample(3.0, metric="requests")], whole).values == [4.0]

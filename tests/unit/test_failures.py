"""Requests that failed: what parsers tell of them, and what a run with them comes to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from support.outputs import attempts, read
from support.recorded import outcome
from windtunnel.analysis.failures import Failures, find_failures
from windtunnel.analysis.failures import Outcome as RequestOutcome
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.parsers import Attempts
from windtunnel.plan import Job, MetricSpec, Plan, Program
from windtunnel.run.record import FailureCount, RunRecord
from windtunnel.run.samples import Sample

RunRecorded = Callable[..., RunRecord]
WRK = """
spec_version = "1"
[benchmark]
name = "web"
strategy = "single-node"
[client]
command = ["wrk"]
[run]
repeats = 3
[[metrics]]
parser = "wrk"
name = "requests_per_second"
"""


def own(*keys: str) -> str:
    """Return a benchmark with metrics of its own: a rate, and counts found by their names."""
    counts = "".join(f"[[metrics]]\nname = \"{key}\"\npattern = '{key}=(\\S+)'\n" for key in keys)
    return (
        WRK.replace('parser = "wrk"\nname = "requests_per_second"', "name = \"rate\"\npattern = 'rate=(\\S+)'") + counts
    )


@pytest.mark.parametrize(
    ("output", "total", "failed"),
    [
        pytest.param("ab_slow", 200, 0, id="ab: none"),
        pytest.param("ab_404", 100, 100, id="ab: all, by their status"),
        pytest.param("ab_half", 100, 82, id="ab: cut short"),
        pytest.param("ab_drop", 100, 100, id="ab: complete, and nothing came"),
        pytest.param("ab_refused_all_the_same", 100, 100, id="ab: nobody was there"),
        pytest.param("siege_4_0_404", 400, 400, id="siege: a 404 is a transaction to it"),
        pytest.param("siege_4_0_500", 40, 40, id="siege: a 500 is none"),
        pytest.param("siege_4_0_mixed", 80, 40, id="siege: both"),
        pytest.param("siege_4_1_refused", 6, 6, id="siege: nobody was there"),
        pytest.param("siege_4_1_json", 200, 0, id="siege: none"),
        pytest.param("wrk_plain", None, 0, id="wrk: none"),
        pytest.param("wrk_404", 24502, 24502, id="wrk: all, by their status"),
        pytest.param("wrk_drop", 18934, 18934, id="wrk: connections closed are no requests to it"),
        pytest.param("wrk_half", 60, 8, id="wrk: lost ones are beside its requests"),
        pytest.param("wrk_timeout", 29, 5, id="wrk: late ones are among them"),
        pytest.param("wrk_all_late", 4, 4, id="wrk: all late"),
        pytest.param("pgbench_failed", 200, 150, id="pgbench: failed ones are no transactions to it"),
        pytest.param("pgbench_scripts", 200, 0, id="pgbench: those of all scripts"),
        pytest.param("pgbench_aborted", 0, 0, id="pgbench: none came to its end"),
        pytest.param("locust_only_summary", 105, 53, id="locust: a half"),
    ],
)
def test_a_parser_tells_how_many_of_all_requests_failed(output: str, total: int | None, failed: int) -> None:
    """The total has failed ones too, whatever the program itself counts as a request."""
    found = attempts(output)
    assert found is not None
    assert found.failed == failed
    assert found.total == total or (total is None and found.total > 0)


def test_a_response_that_is_late_and_refused_failed_once() -> None:
    """It is counted under both by wrk; at least so many failed is what is told."""
    text = read("wrk_timeout.txt", raw=False).replace("Requests/sec", "  Non-2xx or 3xx responses: 7\nRequests/sec")
    assert attempts("wrk_timeout", text) == Attempts(29, 7)


@pytest.mark.parametrize("output", ["ab_refused", "wrk_refused", "pgbench_refused"])
def test_a_program_without_a_report_tells_nothing(output: str) -> None:
    """It ended with an error of its own."""
    assert attempts(output) is None


@pytest.mark.parametrize("output", ["wrk_404", "wrk_all_late", "wrk_drop"])
def test_a_run_whose_requests_all_failed_is_invalid(run_recorded: RunRecorded, output: str) -> None:
    """Exit 5 with the numbers as reason, although the one metric asked for is a beautiful rate."""
    record = run_recorded(WRK, RecordingBackend({"client": [Outcome(read(f"{output}.txt", raw=True))]}))
    assert outcome(record) == (5, "failed", "all_failed", "invalid")
    (found,) = record.failures
    assert (found.step, found.source, found.requests) == ("client", "wrk", found.failures)
    assert record.reasons == [f"client: {found.failures:,} of {found.failures:,} requests failed (wrk)"]


def test_a_run_in_which_no_request_came_to_an_end_says_so(run_recorded: RunRecorded) -> None:
    """It is not only that there are no samples."""
    text = WRK.replace("wrk", "pgbench").replace("requests_per_second", "transactions_per_second")
    output = read("pgbench_aborted.txt", raw=True)
    record = run_recorded(text, RecordingBackend({"client": [Outcome(output)]}))
    assert outcome(record) == (5, "failed", "all_failed", "invalid")
    assert record.reasons[0] == "client: no request came to an end (pgbench)"


def test_more_than_a_share_of_failures_is_suspect(run_recorded: RunRecorded) -> None:
    """One per cent, unless the benchmark allows more."""
    backend = RecordingBackend({"client": [Outcome(read("wrk_half.txt", raw=True))]})
    record = run_recorded(WRK, backend)
    assert outcome(record) == (0, "succeeded", None, "suspect")
    assert record.reasons == ["client: 24 of 180 requests failed (wrk); run.max_failures allows 0.01 of them"]
    assert run_recorded(WRK, backend, overrides=["run.max_failures=0.14"]).validity == "valid"


def test_failures_that_are_meant_are_allowed(run_recorded: RunRecorded) -> None:
    """A benchmark of error pages allows all to fail; they are counted all the same."""
    backend = RecordingBackend({"client": [Outcome(read("wrk_404.txt", raw=True))]})
    record = run_recorded(WRK, backend, overrides=["run.max_failures=1"])
    assert outcome(record) == (0, "succeeded", None, "valid")
    assert record.failures[0].failures == 3 * 24502


def test_one_bad_iteration_among_good_ones_is_suspect(run_recorded: RunRecorded) -> None:
    """Its few requests are no share of all, but its value is one of three."""
    table = [Outcome("rate=5 requests=1000000 failures=0")] * 2
    table.insert(1, Outcome("rate=900 requests=100 failures=100"))
    record = run_recorded(own("requests", "failures"), RecordingBackend({"client": table}))
    assert record.validity == "suspect"
    assert record.reasons[0].startswith("client: 100 of 100 requests failed in iteration 2; run.max_failures")


def test_failures_of_warm_up_do_not_count(run_recorded: RunRecorded) -> None:
    """What is thrown away is not judged."""
    table = [Outcome(read("wrk_404.txt", raw=True)), Outcome(read("wrk_plain.txt", raw=True))]
    record = run_recorded(WRK, RecordingBackend({"client": table}), overrides=["run.warmup=1"])
    assert record.validity == "valid"
    assert record.failures[0].failures == 0


@pytest.mark.parametrize(
    ("output", "validity"),
    [
        ("failures=0", "valid"),
        ("failures=3", "suspect"),
        ("requests=1000 failures=10", "valid"),
        ("requests=1000 failures=11", "suspect"),
        ("requests=20 failures=20", "invalid"),
        ("requests=0 failures=0", "invalid"),
        ("requests=0 failures=20", "invalid"),
        ("requests=1000", "valid"),
    ],
)
def test_metrics_called_failures_and_requests_are_judged(run_recorded: RunRecorded, output: str, validity: str) -> None:
    """A benchmark's own counts are as good as a parser's; without requests, any failure is one too many."""
    text = own(*(word.partition("=")[0] for word in output.split()))
    assert run_recorded(text, RecordingBackend({"client": [Outcome(f"rate=5 {output}")]})).validity == validity


def test_many_counts_of_one_iteration_are_added_up(run_recorded: RunRecorded) -> None:
    """The median of 0, 0 and 500 failures would be none."""
    output = "rate=5" + "\nrequests=1000 failures=0" * 2 + "\nrequests=1000 failures=500"
    record = run_recorded(own("requests", "failures"), RecordingBackend({"client": [Outcome(output)]}))
    assert record.reasons[0].startswith("client: 1,500 of 9,000 requests failed;")


def test_the_last_count_counts_where_the_benchmark_says_so(run_recorded: RunRecorded) -> None:
    """A client that prints how far it is repeats itself."""
    text = own("requests", "failures").replace("failures=(\\S+)'", 'failures=(\\S+)\'\nreduce = "last"')
    output = "rate=5\nrequests=500 failures=1\nrequests=500 failures=2"
    record = run_recorded(text, RecordingBackend({"client": [Outcome(output)]}))
    assert (record.validity, record.failures[0].failures, record.failures[0].requests) == ("valid", 6, 3000)


def test_each_of_two_programs_is_judged(run_recorded: RunRecorded) -> None:
    """What one of them got right does not hide that all that the other asked for failed."""
    text = WRK + '[[metrics]]\nparser = "ab"\nname = "latency_p99"\n'
    output = read("wrk_plain.txt", raw=True) + "\n" + read("ab_404.txt", raw=True)
    record = run_recorded(text, RecordingBackend({"client": [Outcome(output)]}))
    assert outcome(record) == (5, "failed", "all_failed", "invalid")
    assert record.reasons[0] == "client: 300 of 300 requests failed (ab)"
    assert [each.source for each in record.failures] == ["wrk", "ab"]


def test_what_failed_first_stays_the_cause(run_recorded: RunRecorded) -> None:
    """A program that exits with an error after failures has exit 1, and its numbers are invalid all the same."""
    table = [Outcome(read("wrk_404.txt", raw=True), status=1)]
    record = run_recorded(WRK, RecordingBackend({"client": table}))
    assert outcome(record) == (1, "failed", "command_failed", "invalid")


def test_a_clients_own_failures_are_judged_beside_a_parser() -> None:
    """What a parser would give is not what it gives, unless it is asked for it."""
    metrics = (MetricSpec(name="requests_per_second", parser="wrk"),)
    job = Job(name="client", program=Program(command=("measure",)), metrics=metrics)
    plan = Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))
    (found,) = find_failures([Sample("failures", 7.0, None, 1, 0.0, "client")], [], plan)
    assert found.count() == FailureCount(step="client", source="metrics", requests=None, failures=7)
    whole = dataclasses.replace(job, metrics=(MetricSpec(name=None, parser="wrk"),))
    assert (
        find_failures([Sample("failures", 7.0, None, 1, 0.0, "client")], [], dataclasses.replace(plan, steps=(whole,)))
        == []
    )


def test_failures_count_by_their_unit_and_labels() -> None:
    """Requests in another unit are not those of which some failed; label sets are added up, warm-up is left out."""
    job = Job(name="client", program=Program(command=("measure",)))
    plan = Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))

    def samples(unit: str | None) -> list[Sample]:
        return [
            Sample(
                metric, value, unit if metric == "requests" else None, number, 0.0, "client", {"op": op}, number == 1
            )
            for metric, value in (("requests", 10.0), ("failures", 1.5))
            for number in (1, 2)
            for op in ("get", "set")
        ]

    assert find_failures(samples("count"), [], plan)[0].total == RequestOutcome(20, 3)
    assert find_failures(samples("1/s"), [], plan)[0].total == RequestOutcome(None, 3)


def test_the_worst_iteration_is_told() -> None:
    """Among those of which too many failed, though few of all did."""
    outcomes = {1: RequestOutcome(100, 2), 2: RequestOutcome(100, 99), 3: RequestOutcome(10**6, 0)}
    words = Failures("client", "wrk", 0.01, outcomes).doubt()
    assert words == "client: 99 of 100 requests failed in iteration 2 (wrk); run.max_failures allows 0.01 of them"


def test_a_part_of_a_failure_is_not_lost() -> None:
    """A count may be a mean of several; it is not rounded to none."""
    job = Job(name="client", program=Program(command=("measure",)))
    plan = Plan(benchmark="b", strategy="single-node", timeout=1.0, steps=(job,))
    (found,) = find_failures([Sample("failures", 0.5, None, 1, 0.0, "client")], [], plan)
    assert found.total.failures == 0.5

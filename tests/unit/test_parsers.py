"""Outputs of real load generators, read into measurements. The files in `outputs` are what they printed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outputs import OUTPUTS, measure, measurements, read
from windtunnel.parsers import PARSERS, check_metric, check_name


@pytest.mark.parametrize("raw", [True, False])
def test_redis_benchmark_csv_has_all_its_columns(*, raw: bool) -> None:
    """Each row of ``--csv`` gives seven metrics for the command that it tested."""
    assert measure("redis-benchmark", read("redis_benchmark_csv.txt", raw=raw)) == {
        ("SET", "requests_per_second"): 95238.09,
        ("SET", "latency_mean"): 0.331,
        ("SET", "latency_min"): 0.072,
        ("SET", "latency_p50"): 0.247,
        ("SET", "latency_p95"): 0.687,
        ("SET", "latency_p99"): 1.999,
        ("SET", "latency_max"): 2.207,
        ("GET", "requests_per_second"): 95238.09,
        ("GET", "latency_mean"): 0.306,
        ("GET", "latency_min"): 0.064,
        ("GET", "latency_p50"): 0.247,
        ("GET", "latency_p95"): 0.599,
        ("GET", "latency_p99"): 1.951,
        ("GET", "latency_max"): 2.143,
    }


@pytest.mark.parametrize("raw", [True, False])
def test_redis_benchmark_quiet_has_rate_and_median(*, raw: bool) -> None:
    """The lines of ``-q`` give two metrics each; its progress lines give none."""
    assert measure("redis-benchmark", read("redis_benchmark_quiet.txt", raw=raw)) == {
        ("SET", "requests_per_second"): 90909.09,
        ("SET", "latency_p50"): 0.239,
        ("GET", "requests_per_second"): 105263.16,
        ("GET", "latency_p50"): 0.215,
    }


@pytest.mark.parametrize("raw", [True, False])
def test_redis_benchmark_quiet_of_an_own_command_is_read(*, raw: bool) -> None:
    """A command that the user gave is the test's name, whatever its letters."""
    assert measure("redis-benchmark", read("redis_benchmark_quiet_custom.txt", raw=raw)) == {
        ("set key:__rand_int__ value", "requests_per_second"): 76923.08,
        ("set key:__rand_int__ value", "latency_p50"): 0.327,
    }


@pytest.mark.parametrize("raw", [True, False])
def test_redis_benchmark_default_output_is_read_by_its_summaries(*, raw: bool) -> None:
    """Each section's closing summary gives the same seven metrics as a row of ``--csv``."""
    found = measure("redis-benchmark", read("redis_benchmark_default.txt", raw=raw))
    assert len(found) == 14
    assert [found["SET", f"latency_{name}"] for name in ("mean", "min", "p50", "p95", "p99", "max")] == [
        0.384,
        0.032,
        0.295,
        1.047,
        1.847,
        2.295,
    ]
    assert found["SET", "requests_per_second"] == 95238.09
    assert found["GET", "requests_per_second"] == 71428.57
    assert found["GET", "latency_max"] == 3.727


def test_redis_benchmark_csv_of_older_versions_has_rates() -> None:
    """Before 6.2 there was no header, and only the rate."""
    found = measure("redis-benchmark", '"PING_INLINE","104166.66"\n"LRANGE_100 (first 100 elements)","52631.58"\n')
    assert found == {
        ("PING_INLINE", "requests_per_second"): 104166.66,
        ("LRANGE_100 (first 100 elements)", "requests_per_second"): 52631.58,
    }


@pytest.mark.parametrize(
    "line", ['"a","b"', '"hello","world","1.5"', '"test","rps"\n"GET","fast"', '"GET","nan"', '"GET","1,5"']
)
def test_rows_of_another_program_are_no_measurements(line: str) -> None:
    """Quoted text beside redis-benchmark's own rows is passed over."""
    text = read("redis_benchmark_csv.txt", raw=False)
    assert measure("redis-benchmark", f"{text}{line}\n") == measure("redis-benchmark", text)


def test_locust_is_read_by_its_aggregated_rows() -> None:
    """The closing tables give counts, rates and latencies in milliseconds."""
    assert measure("locust", read("locust_only_summary.txt", raw=False)) == {
        ("", "requests"): 105,
        ("", "failures"): 53,
        ("", "requests_per_second"): 40.32,
        ("", "failures_per_second"): 20.35,
        ("", "latency_mean"): 2,
        ("", "latency_min"): 1,
        ("", "latency_max"): 14,
        ("", "latency_p50"): 2,
        ("", "latency_p90"): 4,
        ("", "latency_p95"): 6,
        ("", "latency_p99"): 10,
        ("", "latency_p999"): 15,
    }


def test_the_last_of_locusts_tables_counts() -> None:
    """Without ``--only-summary`` it prints its table again and again; the closing one is the result."""
    text = read("locust_only_summary.txt", raw=False)
    early = "         Aggregated        7     0(0.00%) |      9       9      9      9 |    1.00        0.00\n"
    assert measure("locust", early + text) == measure("locust", text)


def test_locust_without_requests_measures_nothing() -> None:
    """A run in which no request was sent has no latencies of zero."""
    row = "         Aggregated        0     0(0.00%) |      0       0      0      0 |    0.00        0.00\n"
    assert measure("locust", row) == {}


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("ab", "ab_slow"),
        ("hpcc", "hpcc_two_hosts"),
        ("imb", "imb_four"),
        ("locust", "locust_only_summary"),
        ("mpi4py-bench", "mpi4py-bench_hosts"),
        ("pgbench", "pgbench_rate"),
        ("redis-benchmark", "redis_benchmark_csv"),
        ("siege", "siege_4_0_json"),
        ("wrk", "wrk_latency"),
    ],
)
def test_a_parser_gives_what_it_documents(name: str, output: str) -> None:
    """Every documented metric is found in full output, and nothing else, in the documented unit."""
    parser = PARSERS[name]
    found = measurements(name, read(f"{output}.txt", raw=False))
    assert {item.metric for item in found} == set(parser.metrics)
    assert all(item.unit == parser.metrics[item.metric].unit for item in found)


lines = st.sampled_from(
    [
        '"{}","{}"',
        "{}: {} requests per second, p50={} msec",
        "====== {} ======",
        "throughput summary: {} requests per second\nlatency summary (msec):\navg min p50 p95 p99 max\n{} {} {}",
        "Aggregated {} {}({}%) | 1 1 1 1 | 1.0 1.0",
        "Aggregated 1 2 3 4 5 6 7 8 9 10 11 {}",
        "Concurrency Level: 1\nComplete requests: {}\nTotal transferred: {} bytes\n   (Connect: 0, Length: {})",
        "Requests per second: {} [#/sec] (mean)\nTime per request: {} [ms] (mean)",
        "Transfer rate: {} [Kbytes/sec] received",
        "Total: {} {} {} {} {}\n  50% {}\n",
        "Running {} test @ {}\n    Latency  {}us {}ms {}s {}%\n  {} requests in {}s, {}B read",
        "     50% {}us\n  Socket errors: connect {}, read {}, write {}, timeout {}",
        "Requests/sec: {}\nTransfer/sec: {}KB",
        "Transactions: {} hits\nAvailability: {} %\nElapsed time: {} secs\nResponse time: {} secs",
        "Transaction rate: {} trans/sec\nThroughput: {} MB/sec\nConcurrency: {}\nSuccessful transactions: {}",
        "Failed transactions: {}\nLongest transaction: {}\nShortest transaction: {}\n",
        "transaction type: {}\nnumber of transactions actually processed: {}/{}\ntps = {} (without initial",
        "SQL script {}: {}\n - {} transactions ({}% of total, tps = {})\n - latency average = {} ms",
        "# Benchmarking {}\n# #processes = {}\n#bytes #repetitions t[usec] Mbytes/sec\n {} {} {} {}\n 0 {} {}",
        "# MPI PingPong Test\n {} {} | {}e-05 ± {}e-05 {}\n {} {}",
        "Begin of Summary section.\nSuccess={}\nHPL_N={}\nHPL_Tflops={}\nPTRANS_GBs={}\nEnd of Summary section.",
        "{}",
    ]
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["1", "1.50", "1e999", "1.2.3", "9" * 5000]
)


@pytest.mark.parametrize("name", PARSERS)
@given(st.lists(st.tuples(lines, values), max_size=5))
def test_any_text_gives_numbers_or_nothing(name: str, text: list[tuple[str, str]]) -> None:
    """Whatever a program prints, a parser does not fail, and what it finds is finite."""
    found = measurements(name, "\n".join(line.replace("{}", value) for line, value in text))
    assert all(math.isfinite(item.value) for item in found)


@pytest.mark.parametrize(("output", "start"), [("ab_slow", "Concurrency Level:"), ("wrk_plain", "Running ")])
def test_rows_without_the_begin_of_a_report_are_no_measurements(output: str, start: str) -> None:
    """A report whose begin is missing may be another run's, or another program's."""
    lines_ = read(f"{output}.txt", raw=False).splitlines(keepends=True)
    text = "".join(line for line in lines_ if not line.startswith(start))
    assert len(text.splitlines()) == len(lines_) - 1
    assert measure(output.partition("_")[0], text) == {}


@pytest.mark.parametrize("name", PARSERS)
def test_rates_are_a_second_and_latencies_are_milliseconds(name: str) -> None:
    """Whatever a program prints, and more of a rate is better, less of a latency."""
    for metric, info in PARSERS[name].metrics.items():
        if metric in {"requests_per_second", "transactions_per_second"}:
            assert (info.unit, info.better) == ("1/s", "higher")
        if metric.startswith("latency_"):
            assert (info.unit, info.better) == ("ms", "lower")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "line", [" \n", "\r====== ", "====== ", '"a",', "a: 1 ", "Aggregated 1 ", " 1", "transaction type: ", "x=1", "# "]
)
def test_a_parser_takes_time_in_proportion_to_its_text(name: str, line: str) -> None:
    """A megabyte of what a row may begin with is read at once, in lines or in one; a quadratic parser takes hours."""
    for text in (line * (1_000_000 // len(line)), f"{line}\n" * 100_000):
        assert list(measurements(name, text)) == []


@pytest.mark.parametrize("output", sorted(path.name for path in OUTPUTS.glob("[apsw]*.txt")))
def test_output_that_breaks_off_gives_no_wrong_number(output: str) -> None:
    """Of a program that was killed while it printed, what is read is what it would have been in the end."""
    name = output.partition("_")[0]
    text = read(output, raw=True)
    whole = measure(name, text).items()
    assert [text[:end] for end in range(len(text)) if not measure(name, text[:end]).items() <= whole] == []


def test_names_of_parsers_and_metrics_are_checked() -> None:
    """A wrong name is refused with what there is."""
    assert check_name("locust") == "locust"
    with pytest.raises(
        ValueError, match=r"'locus' is not a parser; did you mean 'locust'\? \(allowed: ab, hpcc, imb, locust, mpi4"
    ):
        check_name("locus")
    check_metric("locust", "requests")
    check_metric("locust", "requests", "count")
    with pytest.raises(
        ValueError, match=r"locust gives no 'request'; did you mean 'requests'\? \(it gives: requests, "
    ):
        check_metric("locust", "request")

"""What ab, siege and wrk printed of real HTTP servers. siege 4.0 is 4.0.7, and 4.1 is 4.1.7."""

from __future__ import annotations

import pytest

from support.outputs import measure, read, values

LATENCIES = ("mean", "stdev", "min", "p50", "p90", "p95", "p99", "max")


def latencies(found: dict[str, float]) -> dict[str, float]:
    """Return the latencies alone, in ms."""
    return {name.removeprefix("latency_"): value for name, value in found.items() if name.startswith("latency_")}


def test_ab_report() -> None:
    """Counts, rates and latencies; the mean is that of a request, not the one across all concurrent requests."""
    assert values("ab_slow") == {
        "requests": 200,
        "failures": 0,
        "requests_per_second": 53.08,
        "transfer_rate": pytest.approx(472.43 * 1024),
        "latency_mean": 75.358,
        "latency_stdev": 28.4,
        "latency_min": 22,
        "latency_p50": 77,
        "latency_p90": 111,
        "latency_p95": 117,
        "latency_p99": 120,
        "latency_max": 120,
    }


@pytest.mark.parametrize(
    ("output", "requests", "failures", "rate"),
    [("ab_close", 2000, 0, 18593.75), ("ab_keepalive", 3000, 0, 3175.64), ("ab_post", 18576, 0, 18575.98)],
)
def test_ab_progress_keep_alive_and_post(output: str, requests: int, failures: int, rate: float) -> None:
    """Progress lines, reused connections and sent bytes leave the report as it is."""
    found = values(output)
    assert (found["requests"], found["failures"], found["requests_per_second"]) == (requests, failures, rate)
    assert set(latencies(found)) == set(LATENCIES)


def test_ab_rate_is_of_received_bytes() -> None:
    """What a POST sends is not in the transfer rate."""
    assert values("ab_post")["transfer_rate"] == pytest.approx(2666.67 * 1024)


@pytest.mark.parametrize(
    ("output", "failures"),
    [
        pytest.param("ab_404", 100, id="ab itself counts no status as failed"),
        pytest.param("ab_some_503", 34, id="another length and another status are one failure"),
        pytest.param("ab_half", 82, id="responses cut short differ in length"),
        pytest.param("ab_varies", 97, id="so do those of varying length"),
        pytest.param("ab_varies_allowed", 0, id="unless -l allows it"),
        pytest.param("ab_server_died", 101, id="ab counts 251, some requests under three causes"),
    ],
)
def test_ab_failures_are_each_counted_once(output: str, failures: int) -> None:
    """A request that ab counts under several causes is one failure, and a status outside 2xx is one too."""
    assert values(output)["failures"] == failures


def test_ab_without_median_and_percentiles() -> None:
    """Under ``-S -d`` there are a mean, a minimum and a maximum."""
    assert latencies(values("ab_no_median")) == {"mean": 69.973, "min": 23, "max": 121}


def test_wrk_summary_with_latency() -> None:
    """Counts, rates, and latencies in ms, whatever unit each is printed in."""
    assert values("wrk_latency") == {
        "requests": 217056,
        "failures": 0,
        "requests_per_second": 103385.99,
        "transfer_rate": pytest.approx(14.99 * 2**20),
        "latency_mean": pytest.approx(0.09492),
        "latency_stdev": pytest.approx(0.31251),
        "latency_max": 9.3,
        "latency_p50": pytest.approx(0.066),
        "latency_p90": pytest.approx(0.114),
        "latency_p99": pytest.approx(0.731),
    }


def test_wrk_without_latency_has_no_percentiles() -> None:
    """The statistics of threads have a mean, a deviation and a maximum."""
    assert latencies(values("wrk_plain")) == {
        "mean": pytest.approx(0.09596),
        "stdev": pytest.approx(0.13784),
        "max": 2.64,
    }


def test_wrk_seconds_are_milliseconds() -> None:
    """A maximum of 1.34s beside a median in ms."""
    found = latencies(values("wrk_seconds"))
    assert (found["p50"], found["p90"], found["max"], found["mean"]) == (92.2, 1340, 1340, 439.91)


@pytest.mark.parametrize(
    ("output", "rate"), [("wrk_big", 3.37 * 2**30), ("wrk_slow", 306.74 * 2**10), ("wrk_all_late", 150.43)]
)
def test_wrk_prefixes_of_bytes_are_powers_of_1024(output: str, rate: float) -> None:
    """GB, KB and B."""
    assert values(output)["transfer_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(
    ("output", "requests", "failures"),
    [("wrk_404", 24502, 24502), ("wrk_some_503", 46, 9), ("wrk_half", 52, 8), ("wrk_timeout", 29, 5)],
)
def test_wrk_failures_are_socket_errors_and_statuses(output: str, requests: int, failures: int) -> None:
    """A status from 400 on, a connection that broke and a late response are failures."""
    found = values(output)
    assert (found["requests"], found["failures"]) == (requests, failures)


def test_wrk_without_a_timely_response_has_no_latency() -> None:
    """It prints 0.00us then; the responses are counted, all of them as failures."""
    assert values("wrk_all_late") == {
        "requests": 4,
        "failures": 4,
        "requests_per_second": 1.33,
        "transfer_rate": 150.43,
    }


@pytest.mark.parametrize(("printed", "milliseconds"), [("1.25m", 75_000), ("1.25h", 4_500_000)])
def test_wrk_minutes_and_hours(printed: str, milliseconds: float) -> None:
    """Above 51 s it prints minutes, and so on; this line is not captured, but made from one that is."""
    text = read("wrk_seconds.txt", raw=False).replace("1.34s    74.14%", f"{printed}    74.14%")
    assert measure("wrk", text)["", "latency_max"] == milliseconds


@pytest.mark.parametrize(
    ("output", "latency"),
    [("siege_4_0_json", 3.78 / 51.95), ("siege_4_1_json", 3.70 / 50.89)],
)
def test_siege_json(output: str, latency: float) -> None:
    """Times are seconds there; the mean is read finer than the printed 0.07."""
    found = values(output)
    assert found["latency_mean"] == pytest.approx(1000 * latency)
    assert (found["latency_min"], found["latency_max"]) == (20, 120)
    assert (found["requests"], found["failures"], found["availability"]) == (200, 0, 100)


def test_siege_table_with_colours() -> None:
    """Its table is read among the coloured lines of each request."""
    assert values("siege_4_0_colour") == {
        "requests": 16,
        "failures": 0,
        "availability": 100,
        "requests_per_second": 24.24,
        "transfer_rate": pytest.approx(0.21 * 2**20),
        "concurrency": 1.86,
        "latency_mean": pytest.approx(1000 * 1.86 / 24.24),
        "latency_min": 30,
        "latency_max": 110,
    }


def test_siege_colour_codes_within_the_table_are_passed_over() -> None:
    """A code that a broken line left is no part of a row; put into an output that was captured without."""
    text = read("siege_4_0_timed.txt", raw=False)
    coloured = text.replace("Transactions:", "\x1b[0mTransactions:").replace(" secs", " secs\x1b[1;33m")
    assert coloured.count("\x1b") == 3
    assert measure("siege", coloured) == measure("siege", text)


def test_siege_table_in_milliseconds() -> None:
    """Newer tables say ms, as fine as it goes; *Lifting the server siege* is before them."""
    assert "Lifting the server siege...\nTransactions:" in read("siege_4_1_timed.txt", raw=False)
    found = values("siege_4_1_timed")
    assert latencies(found) == {"mean": 70, "min": 30, "max": 110}
    assert (found["requests"], found["requests_per_second"]) == (21, 5.21)


@pytest.mark.parametrize(
    ("output", "requests", "mean"),
    [("siege_4_0_timed", 2578, 3.37 / 1289), ("siege_4_0_keepalive", 400, 1.67 / 740.74)],
)
def test_siege_mean_below_its_steps(output: str, requests: int, mean: float) -> None:
    """A response time that is printed as 0.00 secs is read from concurrency and rate."""
    found = values(output)
    assert found["requests"] == requests
    assert found["latency_mean"] == pytest.approx(1000 * mean)


@pytest.mark.parametrize("rate", [" 0.10", " 0.00"])
def test_siege_mean_is_as_printed_where_the_quotient_is_coarser(rate: str) -> None:
    """Below some transactions a second concurrency and rate are rounded more; made from a captured output."""
    text = read("siege_4_0_json.txt", raw=False).replace("51.95", rate).replace("3.78", "0.00")
    assert measure("siege", text)["", "latency_mean"] == pytest.approx(70)


@pytest.mark.parametrize(
    ("output", "requests", "failures", "availability"),
    [
        pytest.param("siege_4_0_404", 400, 400, 100, id="siege calls 404 neither successful nor failed"),
        pytest.param("siege_4_0_mixed", 60, 40, 75, id="a quarter each 200, 500, 404, 200; 500 is no transaction"),
    ],
)
def test_siege_failures_are_all_that_was_not_successful(
    output: str, requests: int, failures: int, availability: float
) -> None:
    """Responses of 4xx are failures, although siege's availability passes over them."""
    found = values(output)
    assert (found["requests"], found["failures"], found["availability"]) == (requests, failures, availability)


def test_siege_below_a_tick_of_its_clock_has_counts_alone() -> None:
    """Where the elapsed time is 0.00 the rates and times beside it are none."""
    assert values("siege_4_0_short") == {"requests": 8, "failures": 0, "availability": 100}


def test_siege_get_is_one_transaction() -> None:
    """Under ``-g`` the headers are passed over; newer versions print no table then."""
    assert values("siege_4_0_get")["requests"] == 1
    assert values("siege_4_1_get") == {}


@pytest.mark.parametrize(
    "output",
    [
        "ab_refused",
        "ab_refused_all_the_same",
        "ab_drop",
        "wrk_refused",
        "wrk_drop",
        "siege_4_0_refused",
        "siege_4_1_refused",
        "siege_4_0_500",
    ],
)
def test_without_a_completed_request_nothing_is_measured(output: str) -> None:
    """A server that refuses, hangs up or only fails has no rate and no latency, whatever the program prints."""
    assert values(output) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [("ab_slow", "ab_404"), ("wrk_latency", "wrk_plain"), ("siege_4_0_json", "siege_4_1_timed")],
)
def test_the_last_of_several_runs_counts(first: str, second: str) -> None:
    """A warm-up in the same command is not measured, and lends nothing to what follows it."""
    name = first.partition("_")[0]
    both = read(f"{first}.txt", raw=False) + read(f"{second}.txt", raw=False)
    assert {metric: value for (_label, metric), value in measure(name, both).items()} == values(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [("ab_slow", "ab_refused_all_the_same"), ("wrk_latency", "wrk_drop"), ("siege_4_0_json", "siege_4_1_refused")],
)
def test_a_last_run_without_requests_is_not_covered_up(first: str, second: str) -> None:
    """Where the last run completed nothing, the one before it does not stand in."""
    name = first.partition("_")[0]
    assert measure(name, read(f"{first}.txt", raw=False) + read(f"{second}.txt", raw=False)) == {}

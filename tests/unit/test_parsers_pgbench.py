"""What pgbench 15 printed of a real PostgreSQL, and older formats, written after its documentation."""

from __future__ import annotations

import pytest

from support.outputs import measure, read


def found_in(name: str) -> dict[tuple[str, str], float]:
    """Return what is found in an output, by script and metric."""
    return measure("pgbench", read(f"pgbench_{name}.txt", raw=False))


def test_builtin_script() -> None:
    """The rate without the first connects, and the mean latency; no deviation was measured."""
    assert found_in("builtin") == {
        ("TPC-B (sort of)", "transactions"): 400,
        ("TPC-B (sort of)", "failures"): 0,
        ("TPC-B (sort of)", "transactions_per_second"): 1514.445921,
        ("TPC-B (sort of)", "latency_mean"): 1.321,
    }


def test_progress_and_statements_are_passed_over() -> None:
    """Under ``--progress`` and ``-r`` the closing lines count, now with a deviation."""
    assert found_in("progress") == {
        ("select only", "transactions"): 55484,
        ("select only", "failures"): 0,
        ("select only", "transactions_per_second"): 27816.478622,
        ("select only", "latency_mean"): 0.064,
        ("select only", "latency_stdev"): 0.061,
    }


def test_several_scripts_have_a_series_each_and_one_together() -> None:
    """A script's latencies are those of its section; what they did together has pgbench's word for it."""
    assert found_in("scripts") == {
        ("multiple scripts", "transactions"): 200,
        ("multiple scripts", "failures"): 0,
        ("multiple scripts", "transactions_per_second"): 6057.852491,
        ("multiple scripts", "latency_mean"): 0.330,
        ("one.sql", "transactions"): 61,
        ("one.sql", "failures"): 0,
        ("one.sql", "transactions_per_second"): 1847.645010,
        ("one.sql", "latency_mean"): 0.038,
        ("one.sql", "latency_stdev"): 0.037,
        ("simple update", "transactions"): 139,
        ("simple update", "failures"): 0,
        ("simple update", "transactions_per_second"): 4210.207481,
        ("simple update", "latency_mean"): 0.357,
        ("simple update", "latency_stdev"): 0.254,
    }


def test_a_script_given_twice_has_two_series() -> None:
    """The second one of a name gets its number."""
    found = found_in("same_twice")
    assert found["one.sql", "transactions"] == 12
    assert found["one.sql #2", "transactions"] == 38


def test_a_script_that_was_never_chosen_has_no_series() -> None:
    """Its section says 0 transactions and a rate of 0."""
    assert "- 0 transactions (0.0% of total, tps = 0.000000)" in read("pgbench_unused_script.txt", raw=False)
    assert {label for label, _metric in found_in("unused_script")} == {"multiple scripts", "one.sql"}


def test_a_file_is_known_by_its_name() -> None:
    """Its folder, which differs from run to run, is not in the label."""
    text = read("pgbench_file.txt", raw=False)
    assert {label for label, _metric in measure("pgbench", text)} == {"one.sql"}
    moved = text.replace("type: one.sql", "type: /srv/run 7/one.sql")
    assert measure("pgbench", moved) == measure("pgbench", text)


def test_failed_transactions() -> None:
    """They are counted apart from those that succeeded, also per script and in detail."""
    one = found_in("failed")
    assert (one["clash.sql", "transactions"], one["clash.sql", "failures"]) == (50, 150)
    assert one["clash.sql", "latency_mean"] == 4.497
    detailed = found_in("failed_detailed")
    assert detailed["multiple scripts", "failures"] == detailed["clash.sql", "failures"] == 64
    assert detailed["one.sql", "failures"] == 0


def test_skipped_transactions() -> None:
    """What was late for its rate was never started, and is counted as skipped."""
    found = found_in("rate")
    assert found["TPC-B (sort of)", "skipped"] == 232
    assert found["TPC-B (sort of)", "transactions"] == 2809


def test_reconnecting_is_in_the_rate() -> None:
    """Under ``-C`` there is one rate, with the connects."""
    assert found_in("reconnect")["select only", "transactions_per_second"] == 314.116719


@pytest.mark.parametrize("output", ["aborted", "refused"])
def test_without_a_transaction_nothing_is_measured(output: str) -> None:
    """Scripts that fail at once and a server that is not there give no numbers."""
    assert found_in(output) == {}


def test_format_before_14() -> None:
    """Of its two rates the one without connecting is the one that newer versions print; failures are not told."""
    text = """\
starting vacuum...end.
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 10
query mode: simple
number of clients: 4
number of threads: 2
number of transactions per client: 250
number of transactions actually processed: 1000/1000
latency average = 5.250 ms
latency stddev = 1.125 ms
tps = 701.500000 (including connections establishing)
tps = 703.250000 (excluding connections establishing)
"""
    assert measure("pgbench", text) == {
        ("TPC-B (sort of)", "transactions"): 1000,
        ("TPC-B (sort of)", "transactions_per_second"): 703.25,
        ("TPC-B (sort of)", "latency_mean"): 5.25,
        ("TPC-B (sort of)", "latency_stdev"): 1.125,
    }


def test_the_last_of_several_runs_counts() -> None:
    """A warm-up in the same command is not measured, and does not stand in for a run that failed."""
    first, second, failed = (read(f"pgbench_{name}.txt", raw=False) for name in ("scripts", "builtin", "aborted"))
    assert measure("pgbench", first + second) == measure("pgbench", second)
    assert measure("pgbench", first + failed) == {}

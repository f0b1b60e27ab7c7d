"""What hpcc 1.5, IMB-MPI1 2021 and mpi4py 4 printed on two hosts, and what becomes of outputs that are no result."""

from __future__ import annotations

import pytest

from support.outputs import OUTPUTS, measure, measurements, read

HPCC = "hpcc_two_hosts.txt"


def test_hpcc_is_read_by_its_summary() -> None:
    """Each test's rate, with who did it; HPL's with the order of the matrix that it solved."""
    found = measure("hpcc", read(HPCC, raw=False))
    assert len(found) == 28
    assert found["400", "hpl"] == 0.000248767
    assert found["star", "stream_triad"] == 20.8491


@pytest.mark.parametrize(
    "line",
    [
        "HPL ERROR from process # 0, on line 440 of function HPL_pdinfo:\n",
        "HPL WARNING from process # 0, on line 313 of function HPL_pdinfo:\n",
        "WALL   200   200  32  32   1   2     0.00 FAILED    1.334  0.00\n",
        "||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)=        9.0081691 ...... FAILED\n",
    ],
)
def test_hpcc_that_refused_its_input_or_failed_a_check_measured_nothing(line: str) -> None:
    """It goes on with defaults and says success; the words come on the way, or before the file that it wrote."""
    text = read(HPCC, raw=False)
    assert measure("hpcc", line + text) == {}
    begin, middle, rest = text.partition("Begin of Summary section.")
    assert measure("hpcc", begin + line + middle + rest) == {}
    assert measure("hpcc", line + text + text) == measure("hpcc", text)


def test_hpcc_with_a_bad_input_file_measured_nothing() -> None:
    """A real one: four processes asked for and two there; it solved a matrix of its own choice, and succeeded."""
    text = read("hpcc_refused.txt", raw=False)
    assert "\nHPL_N=3520\n" in text
    assert "\nSuccess=1\n" in text
    assert measure("hpcc", text) == {}


def test_hpcc_without_success_measured_nothing() -> None:
    """The last run counts, so an earlier one does not stand in for it."""
    text = read(HPCC, raw=False)
    failed = text.replace("Success=1", "Success=0")
    assert failed != text
    assert measure("hpcc", text + failed) == {}
    assert measure("hpcc", failed + text) == measure("hpcc", text)


def test_hpcc_that_was_killed_before_its_end_measured_nothing() -> None:
    """Nothing is read of a summary that is not whole."""
    text = read(HPCC, raw=False)
    lines = text[: text.index("End of Summary section.")].splitlines(keepends=True)
    assert [count for count in range(len(lines) + 1) if measure("hpcc", "".join(lines[:count]))] == []


def test_a_test_that_hpcc_did_not_run_has_no_number() -> None:
    """It prints -1 or 0 for it."""
    text = read(HPCC, raw=False)
    whole = measure("hpcc", text)
    for value in ("-1", "0", "nan"):
        lines = [f"PTRANS_GBs={value}" if line.startswith("PTRANS_GBs=") else line for line in text.splitlines()]
        assert measure("hpcc", "\n".join(lines)).keys() == whole.keys() - {("", "ptrans")}


def test_imb_gives_each_row_of_its_tables() -> None:
    """Labels are the benchmark, its processes and the size; a message without content has no bandwidth."""
    found = [
        (item.metric, *item.labels.values(), item.value)
        for item in measurements("imb", read("imb_pair.txt", raw=False))
    ]
    assert found[:3] == [
        ("time", "PingPong", "2", "0", 8.76),
        ("time", "PingPong", "2", "256", 13.73),
        ("bandwidth", "PingPong", "2", "256", 18.64),
    ]
    assert [row for row in found if row[1:4] == ("Allreduce", "2", "1024")] == [
        ("time_min", "Allreduce", "2", "1024", 17.99),
        ("time_mean", "Allreduce", "2", "1024", 22.31),
        ("time_max", "Allreduce", "2", "1024", 26.63),
    ]
    assert ("bandwidth", "Exchange", "2", "4096", 139.57) in found


def test_imb_of_four_processes_has_a_series_for_each_number_of_them() -> None:
    """It measures with two of them first; a barrier has no size, and a rate of messages is no bandwidth."""
    found = {
        (item.metric, *item.labels.values()): item.value
        for item in measurements("imb", read("imb_four.txt", raw=False))
    }
    assert found["time_mean", "Barrier", "2"] == 0.34
    assert found["time_mean", "Barrier", "4"] == 35824.22
    assert found["time_max", "Allreduce", "4", "256"] == 72201.87
    assert found["message_rate", "Biband", "4", "512"] == 19446
    assert ("message_rate", "Uniband", "2", "0") in found
    assert ("bandwidth", "Uniband", "2", "0") not in found
    # Its time was over: the row has a size and words.
    assert ("time_mean", "Allreduce", "2", "1024") in found
    assert ("time_mean", "Allreduce", "4", "1024") not in found


def test_imb_of_several_commands_is_read_as_one() -> None:
    """They may be of different benchmarks; the same row twice is of programs that do not know of each other."""
    pair, four = read("imb_pair.txt", raw=False), read("imb_four.txt", raw=False)
    barrier = four[four.index("# Benchmarking Barrier") : four.index("# Benchmarking Biband")]
    assert measure("imb", pair + barrier).items() > measure("imb", pair).items()
    assert measure("imb", pair + pair) == {}


def test_imb_tables_of_another_form_are_passed_over() -> None:
    """A column that is not known may change what the others mean."""
    text = read("imb_pair.txt", raw=False)
    other = text.replace("#bytes #repetitions      t[usec]", "Group #bytes #repetitions      t[usec]")
    assert {label for label, _metric in measure("imb", other)} == {
        label for label, _metric in measure("imb", text) if not label.startswith("PingPong")
    }


def test_mpi4py_bench_gives_times_and_exact_bandwidths() -> None:
    """The printed bandwidth has two digits; size by mean time has all of them."""
    found = measure("mpi4py-bench", read("mpi4py-bench_hosts.txt", raw=False))
    assert len(found) == 33
    assert found["8", "time_mean"] == pytest.approx(4967.9602)
    assert found["256", "time_stdev"] == pytest.approx(0.50931)
    assert found["256", "bandwidth"] == pytest.approx(256 / 14.33998)
    assert measure("mpi4py-bench", read("mpi4py-bench_no_stats.txt", raw=False)) == {
        ("16", "bandwidth"): 1.33,
        ("32", "bandwidth"): 0.04,
        ("64", "bandwidth"): 0.07,
    }


def test_programs_that_are_each_alone_measured_nothing() -> None:
    """MPICH's launcher started two programs of Open MPI: each had half a microsecond to itself."""
    text = read("mpi4py-bench_singletons.txt", raw=False)
    assert text.count("# MPI PingPong Test") == 2
    assert measure("mpi4py-bench", text) == {}


@pytest.mark.long
@pytest.mark.parametrize("output", sorted(path.name for path in OUTPUTS.glob("[im][mp][bi]*.txt")))
def test_output_that_breaks_off_gives_no_wrong_number(output: str) -> None:
    """Of a program that was killed while it printed, what is read is what it would have been in the end."""
    name, text = output.partition("_")[0], read(output, raw=False)
    if output == "mpi4py-bench_singletons.txt":
        text = text[: text.rindex("# MPI PingPong Test")]
    whole = measure(name, text).items()
    assert whole
    assert [text[:end] for end in range(len(text)) if not measure(name, text[:end]).items() <= whole] == []

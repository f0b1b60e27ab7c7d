"""Clients that misbehave, and benchmarks that measure nothing."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from support.busy import PINNED, busy
from support.lab import SOON, Lab, client_server, finish, single_node
from windtunnel.engines.walk import SAMPLES_AT_ONCE

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_client_that_fails_ends_the_run_with_its_words(lab: Lab) -> None:
    """Exit 1; the samples of all iterations, the failed one too, are kept and summarised."""
    result = lab.run(client_server(client="--fail-in 2", tables="[run]\nrepeats = 3"))

    assert result.exit_code == 1
    assert result.cause == "command_failed"
    assert "client exited with status 3 in iteration 2" in result.record["cause"]["message"]
    assert "client: something is wrong" in result.stderr
    assert len(lab.samples()) == 10
    assert result.record["metrics"]["latency"]["n"] == 2
    assert result.record["validity"] == "suspect"


@pytest.mark.alone
def test_a_client_that_hangs_meets_the_deadline(lab: Lab) -> None:
    """Exit 4 soon after the timeout, and what it measured before is kept."""
    began = time.monotonic()
    result = lab.run(client_server(client="--hang-in 2", tables="[run]\nrepeats = 3", keys='timeout = "3s"'))

    assert result.exit_code == 4
    assert 3 <= time.monotonic() - began < 6
    assert result.record["status"] == "timed_out"
    assert result.cause == "timed_out"
    assert len(lab.samples()) == 10


def test_a_run_without_samples_is_invalid(lab: Lab) -> None:
    """Exit 5, although every command succeeded."""
    result = lab.run(single_node(["echo", "all is well"], '[[metrics]]\nname = "rate"\npattern = "rate=([0-9]+)"'))

    assert result.exit_code == 5
    assert result.cause == "no_samples"
    assert result.record["validity"] == "invalid"


def test_one_declared_metric_without_samples_is_invalid(lab: Lab) -> None:
    """A pattern that no longer matches is not hidden by another that does."""
    metrics = '[[metrics]]\nname = "a"\npattern = "a=([0-9]+)"\n[[metrics]]\nname = "b"\npattern = "b=([0-9]+)"'
    result = lab.run(single_node(["echo", "a=1"], metrics))

    assert result.exit_code == 5
    assert "no samples of b" in result.record["cause"]["message"]
    assert result.record["metrics"]["a"]["values"] == [1]


def test_what_a_client_leaves_running_is_ended_with_its_iteration(lab: Lab) -> None:
    """A process in a session of its own does not disturb the next iteration; a note tells."""
    result = lab.run(client_server(client="--leave", tables="[run]\nrepeats = 2"))

    assert result.exit_code == 0
    assert result.stderr.count("client: left processes behind; they are ended") == 2


def test_a_client_that_is_killed_is_told_by_the_signals_name(lab: Lab) -> None:
    """Also when it kills its own group."""
    result = lab.run(single_node(["sh", "-c", "kill -9 0"]))

    assert result.exit_code == 1
    assert "client was killed by SIGKILL" in result.record["cause"]["message"]


def test_a_client_that_kills_its_keeper_does_not_hang_the_run(lab: Lab) -> None:
    """The process that looks after a step may be killed by it; the run ends all the same."""
    result = lab.run(single_node(["sh", "-c", "kill -9 $$PPID; sleep 1000"], keys='timeout = "20s"'))

    assert result.exit_code == 1
    assert "was killed by SIGKILL" in result.record["cause"]["message"]


def test_a_pattern_without_end_ends_the_run(lab: Lab) -> None:
    """Exit 5 with the pattern's metric, not after hours; what was measured before is kept."""
    metrics = '[run]\nrepeats = 2\n[[metrics]]\nname = "ok"\npattern = "ok=([0-9]+)"'
    metrics += '\n[[metrics]]\nname = "slow"\npattern = "(?:.*?,){20}([0-9]+)z"'
    fast = f"echo {'1,' * 20}5z"
    slow = f"echo ok=1; [ $ITERATION = 1 ] && {fast} || yes 1, | head -n 2000 | tr -d '\\n'"
    result = lab.run(single_node(["sh", "-c", slow], metrics))

    assert result.exit_code == 5
    assert result.cause == "pattern_too_slow"
    assert "what client wrote in iteration 2 was not all read: metric slow" in result.record["cause"]["message"]
    assert result.record["metrics"]["ok"]["n"] == 2
    assert result.record["validity"] == "invalid"


@pytest.mark.parametrize("place", ["$$(ls -d $$OLDPWD/runs/*/logs)/client.1.log", "$WINDTUNNEL_METRICS"])
@pytest.mark.parametrize("thing", ["mkfifo", "mkdir"])
def test_a_result_that_is_no_file_ends_the_run(lab: Lab, place: str, thing: str) -> None:
    """Exit 5 with what stands there: nobody waits for a pipe's writer."""
    command = f'OLDPWD={lab.path}; rm -f "{place}"; {thing} "{place}"'
    result = lab.run(single_node(["sh", "-c", command], '[[metrics]]\nname = "rate"\npattern = "rate=([0-9]+)"'))

    assert result.exit_code == 5
    assert result.cause == "unreadable_output"
    assert "stands where a file should be" in result.record["cause"]["message"]


@pytest.mark.parametrize("thing", ["mkfifo", "mkdir"])
def test_a_later_output_whose_place_is_taken_ends_the_run(lab: Lab, thing: str) -> None:
    """Exit 3 with what is wrong: nobody waits for a pipe's reader, and what was measured before is kept."""
    command = f"echo rate=1; [ $$ITERATION = 2 ] || {thing} $$(ls -d {lab.path}/runs/*/logs)/client.2.log"
    metrics = '[run]\nrepeats = 3\n[[metrics]]\nname = "rate"\npattern = "rate=([0-9]+)"'
    result = lab.run(single_node(["sh", "-c", command], metrics, 'timeout = "60s"'))

    assert (result.exit_code, result.cause) == (3, "command_not_runnable")
    assert "its output client.2.log cannot be written" in result.record["cause"]["message"]
    assert "something else than a file is in its place" in result.record["cause"]["message"]
    assert result.record["metrics"]["rate"]["values"] == [1]


def test_samples_are_not_written_into_a_pipe(lab: Lab) -> None:
    """A client that puts one in their place does not stop the run: it ends, and says why."""
    command = f"echo rate=1; mkfifo $$(ls -d {lab.path}/runs/*)/samples.jsonl"
    result = lab.run(
        single_node(["sh", "-c", command], '[[metrics]]\nname = "rate"\npattern = "rate=([0-9]+)"', 'timeout = "60s"')
    )

    assert result.exit_code == 3
    assert "a named pipe stands where a file should be" in result.record["cause"]["message"]


@pytest.mark.parametrize("moment", ["before it", "during it"])
def test_reading_ends_when_somebody_is_in_a_hurry(lab: Lab, moment: str) -> None:
    """Ctrl-C twice ends it within two seconds, however much there is to read."""
    size = 10**12  # a hole in the file, which takes half an hour to read
    script = f"yes x=1 | head -n {2 * SAMPLES_AT_ONCE}; truncate -s {size} /dev/stdout"
    if moment == "before it":
        script += "; sleep 1000"
    metrics = '[[metrics]]\nname = "x"\npattern = "x=([0-9])"'
    with lab.start("run", str(lab.write(single_node(["sh", "-c", script], metrics))), "--json") as process:
        lab.wait_for("iteration_started")
        while (lab.only_run() / "logs" / "client.1.log").stat().st_size < size:
            time.sleep(0.01)
        while moment == "during it" and not (lab.only_run() / "samples.jsonl").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert any("stopping" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)
    assert time.monotonic() - began < SOON / 2
    assert result.exit_code == 130
    assert result.cause == "cancelled"
    assert "what client wrote in iteration 1 was not all read" in result.stderr


def test_a_big_output_is_kept_whole(lab: Lab) -> None:
    """Twenty megabytes of output neither block the client nor get lost."""
    command = ["sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo rate=5"]
    result = lab.run(single_node(command, '[[metrics]]\nname = "rate"\npattern = "^rate=([0-9]+)"'))

    assert result.record["metrics"]["rate"]["values"] == [5]
    assert (lab.only_run() / "logs" / "client.1.log").stat().st_size == 20_000_008


def test_a_client_that_is_starved_of_cpu_is_suspect(lab: Lab) -> None:
    """With two busy processes beside it on one CPU, its numbers are not trusted; `--strict` fails then."""
    burn = f"import os, time\n{PINNED}; end = time.time() + 2.5\nwhile time.time() < end: pass\nprint('rate=1')"
    metrics = '[run]\nrepeats = 3\n[[metrics]]\nname = "rate"\npattern = "rate=([0-9]+)"'
    with busy(2):
        result = lab.run(single_node([sys.executable, "-c", burn], metrics), "--strict")

    assert result.record["validity"] == "suspect"
    assert result.record["reasons"][0].startswith("client was starved of CPU: it used")
    assert result.exit_code == 5

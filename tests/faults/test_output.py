"""Standard streams that take nothing: a measurement goes on without them, and its exit code tells."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios

import pytest

from support.lab import Lab, finish, single_node

pytestmark = pytest.mark.usefixtures("nothing_left", "buffered")

METRIC = '[[metrics]]\nname = "rate"\npattern = "rate=(.*)"\n'
TEXT = single_node(["echo", "rate=1"], '[[metrics]]\nname = "rate"\npattern = "rate=(.)"')
FAILING = single_node(["sh", "-c", "echo rate=1; exit 3"], '[[metrics]]\nname = "rate"\npattern = "rate=(.)"')


@pytest.fixture
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are buffered, as they are where nobody has asked Python for anything else."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def call(lab: Lab, command: str) -> subprocess.CompletedProcess[str]:
    """Call Windtunnel in a shell, which opens its streams."""
    script = f"exec {sys.executable} -m windtunnel {command}"
    return subprocess.run(["bash", "-c", script], cwd=lab.path, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("run benchmark.toml --json >&-", "it is closed"),
        ("run benchmark.toml >&-", "it is closed"),
        ("run benchmark.toml --json >/dev/full", "No space left on device"),
        ("run benchmark.toml >/dev/full", "No space left on device"),
    ],
)
def test_a_result_that_cannot_be_printed_is_kept(lab: Lab, command: str, reason: str) -> None:
    """Exit 3 with the reason and the run's folder, whose record says that it succeeded."""
    lab.write(TEXT)
    result = call(lab, command)

    assert result.returncode == 3
    assert f"error: standard output cannot be written: {reason}\n" in result.stderr
    assert f"run: runs/{lab.only_run().name}\n" in result.stderr
    assert "Traceback" not in result.stderr
    record = json.loads((lab.only_run() / "run.json").read_text())
    assert (record["status"], record["exit_code"]) == ("succeeded", 0)
    assert lab.samples()[0]["value"] == 1


def test_a_failure_counts_before_a_full_output(lab: Lab) -> None:
    """The exit code is the benchmark's."""
    lab.write(FAILING)
    assert call(lab, "run benchmark.toml --json >/dev/full").returncode == 1


@pytest.mark.parametrize("command", ["show last", "show last --json", "runs", "report last", "--help", "schema"])
def test_a_command_that_only_prints_fails_where_it_cannot(lab: Lab, command: str) -> None:
    """Exit 3, without a traceback."""
    lab.run(TEXT)
    result = call(lab, f"{command} >/dev/full")

    assert result.returncode == 3
    assert result.stderr.endswith("error: standard output cannot be written: No space left on device\n")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
def test_words_that_nobody_can_be_told_cost_nothing(lab: Lab, stream: str) -> None:
    """A run whose standard error takes nothing succeeds."""
    lab.write(TEXT)
    result = call(lab, f"run benchmark.toml --json {stream}")

    assert result.returncode == 0
    assert json.loads(result.stdout)["metrics"]["rate"]["values"] == [1]


def test_a_run_that_is_cancelled_before_it_begins_prints_its_object(lab: Lab) -> None:
    """Ctrl-C while the benchmark is still read: exit 130, and nothing was made."""
    fifo = lab.path / "benchmark.toml"
    os.mkfifo(fifo)
    with lab.start("run", str(fifo), "--json", "--backend=docker") as process:
        # The other end is opened when the benchmark is read.
        writer = os.open(fifo, os.O_WRONLY)
        process.send_signal(signal.SIGINT)
        result = finish(process)
        os.close(writer)

    record = json.loads(result.stdout)
    assert (result.exit_code, record["exit_code"], record["status"]) == (130, 130, "cancelled")
    assert (record["run_id"], record["backend"], record["cause"]["code"]) == (None, "docker", "cancelled")
    assert not (lab.path / "runs").exists()


def start_unread(lab: Lab, client: str) -> subprocess.Popen[str]:
    """Start a run of 30 iterations that tells more on standard error than the pipe holds, which nobody reads."""
    line = "no number " * 20
    script = f"echo 'rate={line}'; echo rate=1; {client}"
    lab.write(single_node(["sh", "-c", script], f"{METRIC}[run]\nrepeats = 30\n"))
    process = lab.start("run", "benchmark.toml", "--json")
    assert process.stderr is not None
    fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    return process


def test_a_reader_that_does_not_read_holds_no_run(lab: Lab) -> None:
    """Such as a script that reads standard output to its end first: what is told beside is passed over."""
    with start_unread(lab, "true") as process:
        try:
            assert process.wait(lab.patience) == 0
        finally:
            process.kill()
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["metrics"]["rate"]["n"] == 30


def test_a_reader_that_does_not_read_keeps_nobody_from_ending_a_run(lab: Lab) -> None:
    """Ctrl-C is heard, although it cannot be answered."""
    with start_unread(lab, "test $ITERATION = 30 && exec sleep 100; true") as process:
        try:
            lab.wait_for('"type":"iteration_started","step":"client","iteration":30', lab.patience)
            process.send_signal(signal.SIGINT)
            assert process.wait(lab.patience) == 130
        finally:
            process.kill()


@pytest.mark.parametrize("event", [None, "iteration_started"], ids=["from the beginning", "while it measures"])
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["to its end", "cancelled"])
def test_a_terminal_that_is_stopped_holds_no_run(lab: Lab, event: str | None, is_cancelled: bool) -> None:  # noqa: FBT001 - a case
    """Ctrl-S on a terminal with a spinner: the run goes on, can be cancelled, and prints its result."""
    client = "echo rate=1; test $ITERATION != 3 || exec sleep 100" if is_cancelled else "sleep 0.1; echo rate=1"
    lab.write(single_node(["sh", "-c", client], f"{METRIC}[run]\nrepeats = 5\n"))
    master, terminal = os.openpty()
    if event is None:
        termios.tcflow(terminal, termios.TCOOFF)
    with lab.start("run", "benchmark.toml", "--json", stderr=terminal) as process:
        try:
            if event:
                lab.wait_for(event, lab.patience)
                termios.tcflow(terminal, termios.TCOOFF)
            if is_cancelled:
                lab.wait_for('"type":"iteration_started","step":"client","iteration":3', lab.patience)
                process.send_signal(signal.SIGINT)
            assert process.wait(lab.patience) == (130 if is_cancelled else 0)
        finally:
            process.kill()
        assert process.stdout is not None
        record = json.loads(process.stdout.read())
    os.close(master)
    os.close(terminal)
    assert record["metrics"]["rate"]["n"] == (3 if is_cancelled else 5)

"""What a hostile reviewer tried: waits that must end, files that must stay, numbers that must not pass."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from support.busy import PINNED, busy
from support.lab import AS_ANY_USER, SOON, Lab, client_server, finish, single_node

pytestmark = pytest.mark.usefixtures("nothing_left")

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'


def shell(script: str, tables: str = "", keys: str = "") -> str:
    """Return a benchmark of one shell script."""
    return single_node(["sh", "-c", script], tables, keys)


@pytest.mark.parametrize("link", ["rmdir $WINDTUNNEL_OUT; ln -s {} $WINDTUNNEL_OUT", "ln -s {} $WINDTUNNEL_OUT/sub"])
def test_a_link_in_the_output_folder_does_not_cost_the_users_files(lab: Lab, link: str) -> None:
    """Whatever it leads to stays where it is."""
    precious = lab.path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("ten years")
    result = lab.run(shell(f"{link.format(precious)}; echo rate=1", f'{RATE}\n[output]\nartifacts = ["**", "*/*"]'))

    assert result.exit_code == 0
    assert (precious / "thesis.txt").read_text() == "ten years"


def test_folders_that_cannot_be_changed_are_kept_and_removed(lab: Lab) -> None:
    """A user's Go module cache is such a tree; neither iterations nor artifacts are lost, and nothing stays on disk."""
    lab.prefix = AS_ANY_USER
    tree = "mkdir -p {0}/d && echo x > {0}/d/f && chmod -R a-w {0}/d"
    script = (
        f"{tree.format('$WINDTUNNEL_WORK')}; {tree.format('$WINDTUNNEL_OUT')}; chmod 0 $WINDTUNNEL_OUT; echo rate=1"
    )
    result = lab.run(shell(script, f"{RATE}\n[run]\nrepeats = 3"))

    assert result.exit_code == 0
    assert result.record["metrics"]["rate"]["n"] == 3
    assert [(lab.only_run() / f"artifacts/client.{n}/d/f").read_text() for n in (1, 2, 3)] == ["x\n"] * 3
    assert not (lab.only_run() / "work").exists()


def test_a_step_that_takes_the_runs_working_folder_away_costs_nothing(lab: Lab) -> None:
    """The next iteration has new folders."""
    result = lab.run(shell("rm -rf $WINDTUNNEL_WORK/../../work; echo rate=1", f"{RATE}\n[run]\nrepeats = 3"))

    assert result.exit_code == 0
    assert result.record["metrics"]["rate"]["n"] == 3


def test_a_folder_that_is_in_the_way_of_the_next_iteration_is_told(lab: Lab) -> None:
    """It is the benchmark's doing: exit 3 with the path."""
    result = lab.run(shell("mkdir ../client.2; echo rate=1", f"{RATE}\n[run]\nrepeats = 3"))

    assert result.exit_code == 3
    assert result.cause == "store_failed"
    assert "work/client.2: File exists" in result.record["cause"]["message"]


@pytest.mark.parametrize("value", ["nan", "inf", "3,14", "1_000"])
def test_what_is_no_number_is_no_result(lab: Lab, value: str) -> None:
    """A value that cannot be averaged makes the run invalid, and a note tells which it was."""
    result = lab.run(shell(f"echo rate={value}", RATE))

    assert result.exit_code == 5
    assert f"{value!r} is not a number" in result.stderr


def test_thousands_are_read(lab: Lab) -> None:
    """Commas between groups of three are how programs print for people."""
    assert lab.run(shell("echo rate=1,234,567.5", RATE)).record["metrics"]["rate"]["values"] == [1234567.5]


def test_a_flood_of_notes_is_cut(lab: Lab) -> None:
    """The first few and a count are enough."""
    result = lab.run(shell("yes rate=x | head -n 1000; echo rate=1", RATE))

    assert result.exit_code == 0
    assert result.stderr.count("is not a number") == 5
    assert "and 995 more like these" in result.stderr


def test_a_parser_that_finds_nothing_is_noticed(lab: Lab) -> None:
    """Also when another metric was found."""
    result = lab.run(shell("echo rate=1", f'{RATE}\n[[metrics]]\nparser = "locust"'))

    assert result.exit_code == 5
    assert "no samples of what locust prints" in result.record["cause"]["message"]


def dying_server(lab: Lab, client: str) -> str:
    """Return a benchmark whose client, a shell script, finds its server's process id in ``$PIDFILE``."""
    pidfile = lab.path / "pid"
    server = json.dumps(["sh", "-c", f"echo $$$$ > {pidfile}; exec sleep 1000"])
    return f"""
spec_version = "1"
[benchmark]
name = "edge"
strategy = "client-server"
[server]
command = {server}
ready = {{ exec = ["test", "-s", "{pidfile}"] }}
[client]
command = {json.dumps(["sh", "-c", client])}
env = {{ PIDFILE = "{pidfile}" }}
{RATE}
"""


def test_a_server_that_dies_at_the_end_of_the_client_is_a_dead_server(lab: Lab) -> None:
    """The client's success does not hide it."""
    result = lab.run(dying_server(lab, "kill -ABRT $(cat $PIDFILE); sleep 0.1; echo rate=1"))

    assert result.exit_code == 5
    assert result.cause == "server_died"


def test_a_server_that_dies_after_the_client_is_a_dead_server(lab: Lab) -> None:
    """A client that leaves something that kills the server when it is told to end, has not measured it."""
    late = "(trap 'kill -ABRT $(cat $PIDFILE)' TERM; echo > $PIDFILE.set; sleep 1000 & wait) & "
    late += "while [ ! -e $PIDFILE.set ]; do sleep 0.01; done; echo rate=1"
    result = lab.run(dying_server(lab, late))

    assert result.exit_code == 5
    assert result.cause == "server_died"


def test_a_slow_readiness_command_is_given_its_time(lab: Lab) -> None:
    """One that takes over a second answers in the end."""
    ready = f'{{ exec = {json.dumps([sys.executable, "-c", "import time; time.sleep(1.5)"])}, within = "20s" }}'

    assert lab.run(client_server(ready=ready)).exit_code == 0


def test_a_download_that_trickles_meets_the_deadline(lab: Lab) -> None:
    """A server that never finishes does not keep the run from ending."""
    trickle = (
        "import socket, sys, time\n"
        "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
        "c, _ = s.accept(); c.recv(9999); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 9999\\r\\n\\r\\n')\n"
        "while True: c.sendall(b'x'); time.sleep(0.1)"
    )
    with subprocess.Popen([sys.executable, "-c", trickle], stdout=subprocess.PIPE, text=True) as origin:
        assert origin.stdout is not None
        port = origin.stdout.readline().strip()
        inputs = f'{RATE}\n[[inputs]]\nsrc = "http://127.0.0.1:{port}/x"\npath = "x"'
        began = time.monotonic()
        result = lab.run(shell("echo rate=1", inputs, keys='timeout = "2s"'))
        origin.kill()

    assert result.exit_code == 4
    assert time.monotonic() - began < SOON


def test_a_pipe_for_metrics_does_not_hang_the_run(lab: Lab) -> None:
    """Only a file is read: what stands in its place is the cause."""
    result = lab.run(shell("mkfifo $WINDTUNNEL_METRICS; echo rate=1", RATE, keys='timeout = "20s"'))

    assert result.exit_code == 5
    assert result.cause == "unreadable_output"


def test_a_second_ctrl_c_cuts_a_stop_command_short(lab: Lab) -> None:
    """Asked twice to stop, a run does not wait for it."""
    text = client_server(client="--hang-in 1").replace('grace = "1s"', 'grace = "300s"\nstop = ["sleep", "1000"]')
    with lab.start("run", str(lab.write(text)), "--json") as process:
        lab.wait_for("iteration_started")
        process.send_signal(signal.SIGINT)
        lab.wait_for("service_stopping")
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert finish(process).exit_code == 130
    assert time.monotonic() - began < SOON


def test_a_reader_that_goes_away_does_not_end_the_measurement(lab: Lab) -> None:
    """`windtunnel run … 2>&1 | head -n 1` measures to the end."""
    file = lab.write(shell("sleep 0.3; echo rate=1", f"{RATE}\n[run]\nrepeats = 3"))
    subprocess.run(
        ["sh", "-c", f"{sys.executable} -m windtunnel run {file} 2>&1 | head -n 1"], cwd=lab.path, check=True
    )
    deadline = time.monotonic() + 20
    while lab.call("show", "last", "--json").record["status"] == "running" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert lab.call("show", "last", "--json").record["exit_code"] == 0


@pytest.mark.parametrize("command", ["schema", "plan benchmark.toml", "run benchmark.toml --json"])
def test_a_closed_pipe_is_no_failure(lab: Lab, command: str) -> None:
    """Standard output that nobody reads any more costs neither the exit code nor the result."""
    lab.write(shell("echo rate=1", RATE))
    script = f"set -o pipefail; {sys.executable} -m windtunnel {command} 2>/dev/null | true"
    result = subprocess.run(["bash", "-c", script], cwd=lab.path, check=False)

    assert result.returncode == 0


def test_a_store_that_is_full_is_told_and_everything_is_stopped(lab: Lab) -> None:
    """Exit 3 with the system's words, and the folder's record says so too, although nothing more fits there."""
    store = lab.path / "small"
    store.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", store], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        fill = "for i in 1 2 3 4 5 6 7 8 9; do head -c 60000 /dev/zero > $WINDTUNNEL_OUT/$i; done; echo rate=1"
        result = lab.run(shell(fill, f'{RATE}\n[run]\nrepeats = 3\n[output]\nstore = "{store}"'))
        shown = lab.call("show", "last", "--store", str(store), "--json").record
    finally:
        subprocess.run(["umount", "-l", store], check=True)

    assert (result.exit_code, result.cause) == (3, "store_failed")
    assert result.record["cause"]["message"] == "results cannot be written: No space left on device"
    assert (shown["status"], shown["exit_code"], shown["cause"]) == ("failed", 3, result.record["cause"])


def test_a_timeout_names_its_step(lab: Lab) -> None:
    """With the last lines of what did not end."""
    result = lab.run(shell("echo half way; sleep 1000", keys='timeout = "1s"'))

    assert result.record["cause"]["step"] == "client"
    assert result.record["cause"]["log_tail"] == ["half way"]


def test_a_stranger_on_a_probes_port_is_found(lab: Lab) -> None:
    """Else it would answer for the server."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        result = lab.run(client_server(ready=f'{{ tcp = true, port = {port}, within = "5s" }}'))

    assert result.exit_code == 3
    assert result.cause == "port_taken"


def test_what_a_probe_leaves_running_is_ended_with_it(lab: Lab) -> None:
    """A command that goes to the background is not left to run beside the benchmark."""
    ready = '{ exec = ["sh", "-c", "sleep 7531 & exit 0"], within = "5s" }'
    count = "echo rate=$(pgrep -fc 'sleep 753[1]')"
    client = json.dumps(["sh", "-c", count])
    lines = [
        f"command = {client}" if "client.py" in line else line
        for line in client_server(ready=ready, tables=RATE).splitlines()
    ]

    assert lab.run("\n".join(lines)).record["metrics"]["rate"]["values"] == [0]


def test_starvation_is_seen_in_short_iterations_too(lab: Lab) -> None:
    """An iteration that is shorter than the sampling interval is judged by its whole."""
    burn = f"import os, time\n{PINNED}\nwhile time.process_time() < 0.2: pass\nprint('rate=1')"
    with busy(4):
        text = shell("true", f"{RATE}\n[run]\nrepeats = 3").replace(
            json.dumps(["sh", "-c", "true"]), json.dumps([sys.executable, "-c", burn])
        )
        result = lab.run(text)

    assert result.record["validity"] == "suspect"
    assert "client was starved of CPU" in result.record["reasons"][0]


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            '{"metric": "time", "value": 5, "unit": "ms"}\n{"metric": "time", "value": 0.005, "unit": "s"}',
            "mixed_units",
        ),
        ('{"metric": "rate", "value": 900}', "two_sources"),
        ('{"metric": "requests", "value": 46}\n{"metric": "failures", "value": 46}', "all_failed"),
    ],
)
def test_numbers_that_mean_nothing_are_no_result(lab: Lab, lines: str, cause: str) -> None:
    """What the client writes of its own may not fit together; that is told, with exit 5."""
    result = lab.run(shell(f"echo rate=1; echo '{lines}' > \"$$WINDTUNNEL_METRICS\"", RATE))

    assert result.exit_code == 5
    assert result.cause == cause
    assert result.record["validity"] == "invalid"

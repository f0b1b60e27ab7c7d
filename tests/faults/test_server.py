"""Servers that misbehave: the run ends soon, with the right exit code, the cause in words, and nothing left."""

from __future__ import annotations

import json
import socket
import sys
import time

import pytest

from support.lab import SOON, Lab, client_server

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_live_server_passes_its_liveness_probe(lab: Lab) -> None:
    """Probes during the run do not disturb a server that answers."""
    live = 'live = { http = "/alive", every = "50ms", timeout = "10s", failures = 1 }'
    text = client_server(client="--requests 300", server="--latency 0.001").replace(
        'grace = "1s"', f'grace = "1s"\n{live}'
    )

    assert lab.run(text).exit_code == 0


def test_a_stop_command_that_hangs_is_given_up_after_the_grace(lab: Lab) -> None:
    """SIGTERM follows it, a note says so, and the result stands."""
    text = client_server().replace('grace = "1s"', 'grace = "1s"\nstop = ["sleep", "1000"]')
    result = lab.run(text)

    assert result.exit_code == 0
    (stop,) = [phase["seconds"] for phase in result.record["phases"] if phase["phase"] == "stop"]
    assert 1 <= stop < SOON
    assert "the stop command failed (no answer within 1 s); SIGTERM instead" in result.stderr


def test_a_stop_command_that_is_not_found_does_not_spoil_the_result(lab: Lab) -> None:
    """SIGTERM follows it, and a note says so."""
    result = lab.run(client_server().replace('grace = "1s"', 'stop = ["no-such-stop"]'))

    assert result.exit_code == 0
    assert "command not found: no-such-stop" in result.stderr


def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(lab: Lab) -> None:
    """The result stands, and the server had its time."""
    result = lab.run(client_server(server="--ignore-term"))

    assert result.exit_code == 0
    (stop,) = [phase for phase in result.record["phases"] if phase["phase"] == "stop"]
    assert 1 <= stop["seconds"] < SOON
    assert (lab.only_run() / "logs" / "server.log").read_text().count("ignoring SIGTERM") == 1


def test_a_port_that_is_taken_is_found_before_anything_starts(lab: Lab) -> None:
    """Else the stranger that listens there would be measured; it is left alone."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        result = lab.run(client_server().replace("port = 0", f"port = {port}"))

        assert result.exit_code == 3
        assert result.cause == "port_taken"
        assert f"port {port} cannot be used" in result.record["cause"]["message"]
        assert "port = 0" in result.record["cause"]["message"]
        socket.create_connection(("127.0.0.1", port)).close()
    assert result.record["resources"]["created"] == 0


@pytest.mark.parametrize("daemon", ["--daemon", "--daemon --ignore-term", "--daemon --late"])
def test_a_server_that_goes_to_the_background_is_followed(lab: Lab, daemon: str) -> None:
    """It is measured, watched and ended like any other; a note says that a container would end."""
    # Its first process may end, and be heard to have ended, long after it is ready: the client waits for that.
    until_told = f'"$$0" "$$@"; until grep -q "to the background" {lab.path}/runs/*/events.jsonl; do sleep 0.05; done'
    text = client_server(server=daemon, keys='timeout = "100s"').replace(
        "[client]\ncommand = [", f'[client]\ncommand = ["sh", "-c", {json.dumps(until_told)}, '
    )
    result = lab.run(text)

    assert result.exit_code == 0
    assert result.stderr.count("went to the background") == 1
    assert result.record["resources"] == {"created": 2, "gone": 2, "left": []}


def test_a_daemon_that_dies_is_a_dead_server(lab: Lab) -> None:
    """Its death is seen although its command ended long before."""
    result = lab.run(client_server(server="--daemon --die-after 3"))

    assert result.exit_code == 5
    assert result.cause == "server_died"


def test_the_death_of_one_server_while_another_gets_ready_is_told(lab: Lab) -> None:
    """Nobody waits for the second server when the first is gone."""
    killer = (
        "import os, time, urllib.request as r\n"
        "try: r.urlopen(os.environ['FIRST'])\n"
        "except OSError: print('the first is gone', flush=True)\n"
        "time.sleep(1000)"
    )
    second = f"""
[servers.second]
command = {json.dumps([sys.executable, "-c", killer])}
env = {{ FIRST = "$SERVER_URL" }}
port = 0
ready = {{ tcp = true, within = "300s" }}
"""
    began = time.monotonic()
    result = lab.run(client_server(server="--die-after 1", tables=second))

    assert result.exit_code == 5
    assert result.cause == "server_died"
    assert time.monotonic() - began < SOON

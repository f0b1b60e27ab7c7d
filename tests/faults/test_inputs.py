"""Steps that change their inputs, and inputs that never end."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from support.lab import AS_ANY_USER, SOON, Lab, client_server, finish, single_node

pytestmark = pytest.mark.usefixtures("nothing_left")
SIZE = '[[metrics]]\nname = "size"\npattern = "size=(\\\\S+)"\n'
INPUT = '[[inputs]]\nsrc = "data.txt"\npath = "data.txt"\n'
COUNT = "echo size=$(wc -c < data.txt)"
APPEND = "chmod u+w $(readlink -f data.txt); echo more >> data.txt"
WAYS = {
    "appended to": APPEND,
    "of the same size": "echo WINDTUNNEL > data.txt",
    "replaced": "echo other > new; mv new $(readlink -f data.txt)",
    "removed": "rm $(readlink -f data.txt)",
    "a pipe": "rm $(readlink -f data.txt); mkfifo $(readlink -f data.txt)",
    "a folder": "rm $(readlink -f data.txt); mkdir $(readlink -f data.txt); touch $(readlink -f data.txt)/x",
}


def write_input(lab: Lab) -> Path:
    """Write the input and return where it is."""
    data = lab.path / "data.txt"
    data.write_text("windtunnel\n")
    return data


@pytest.mark.parametrize("way", WAYS)
def test_a_step_that_changes_an_input_changes_nothing_for_the_next(lab: Lab, way: str) -> None:
    """Each iteration has the original, a note tells, and the user's own file is untouched."""
    data = write_input(lab)
    script = f"{COUNT}; {WAYS[way]}"
    result = lab.run(single_node(["sh", "-c", script], f"{SIZE}{INPUT}[run]\nrepeats = 3\n"))

    assert result.exit_code == 0
    assert result.is_valid
    assert result.record["metrics"]["size"]["values"] == [11] * 3
    assert "input data.txt was changed by client in iteration 1; the next start has the original again" in result.stderr
    assert data.read_text() == "windtunnel\n"


def test_a_user_may_change_the_mode_of_an_input_and_write_to_it(lab: Lab) -> None:
    """Not only root can."""
    lab.prefix = AS_ANY_USER
    write_input(lab)
    result = lab.run(single_node(["sh", "-c", f"{COUNT}; {APPEND}"], f"{SIZE}{INPUT}[run]\nrepeats = 2\n"))

    assert result.record["metrics"]["size"]["values"] == [11] * 2


def test_a_user_may_take_away_the_right_to_read_an_input(lab: Lab) -> None:
    """It is given back, and the next step has the input."""
    lab.prefix = AS_ANY_USER
    write_input(lab)
    script = f"{COUNT}; chmod 0 $(readlink -f data.txt)"
    result = lab.run(single_node(["sh", "-c", script], f"{SIZE}{INPUT}[run]\nrepeats = 2\n"))

    assert result.exit_code == 0
    assert result.record["metrics"]["size"]["values"] == [11] * 2


def test_a_change_that_others_may_have_seen_makes_the_result_suspect(lab: Lab) -> None:
    """The reason names the steps, the iteration and the input; the next client has the original all the same."""
    write_input(lab)
    client = f"{COUNT}; test $ITERATION = 2 && {{ {APPEND}; }}; true"
    lines = [
        f"command = {json.dumps(['sh', '-c', client])}" if "client.py" in line else line
        for line in client_server(tables=f"{SIZE}{INPUT}[run]\nrepeats = 3\n").splitlines()
    ]
    result = lab.run("\n".join(lines))

    assert result.exit_code == 0
    assert result.record["validity"] == "suspect"
    reason = "input data.txt was changed by client or server in iteration 2, while others had it"
    assert result.record["reasons"][0] == reason
    assert result.record["metrics"]["size"]["values"] == [11] * 3


@pytest.mark.parametrize(("then", "words"), [("rm", "No such file"), ("echo x >", "it is another one now")])
def test_an_original_that_cannot_be_had_again_makes_the_result_suspect(lab: Lab, then: str, words: str) -> None:
    """The reason says who changed the input, and why it stays so."""
    data = write_input(lab)
    script = f"{COUNT}; {APPEND}; {then} {data}"
    result = lab.run(single_node(["sh", "-c", script], f"{SIZE}{INPUT}[run]\nrepeats = 2\n"))

    (reason,) = [each for each in result.record["reasons"] if "input data.txt" in each]
    assert result.record["validity"] == "suspect"
    assert "was changed by client in iteration 1, and the original cannot be had again" in reason
    assert words in reason


def test_an_input_that_is_only_looked_at_is_not_read_again(lab: Lab) -> None:
    """Nothing is told of one that was read, linked, touched, or whose mode was changed."""
    write_input(lab)
    script = f"{COUNT}; touch data.txt; chmod 600 $(readlink -f data.txt); ln $(readlink -f data.txt) link"
    result = lab.run(single_node(["sh", "-c", script], f"{SIZE}{INPUT}[run]\nrepeats = 3\n"))

    assert result.is_valid
    assert "was changed" not in result.stderr


@pytest.mark.parametrize(("make", "words"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder"), (None, "a device")])
def test_an_input_that_is_no_file_is_refused(lab: Lab, make: object, words: str) -> None:
    """Reading it might never end."""
    source = lab.path / "data.txt" if make else Path("/dev/zero")
    if callable(make):
        make(source)
    result = lab.run(single_node(["true"], f'{SIZE}[[inputs]]\nsrc = "{source}"\npath = "data.txt"\n'))

    assert result.exit_code == 3
    assert result.cause == "input_unavailable"
    assert f"input {source}: it is {words}, not a file" in result.record["cause"]["message"]


@pytest.fixture
def endless(lab: Lab) -> Path:
    """A file that takes a long time to copy."""
    data = lab.path / "data.txt"
    with data.open("wb") as file:
        file.truncate(1 << 40)
    return data


@pytest.mark.usefixtures("endless")
def test_ctrl_c_ends_the_copying_of_an_input(lab: Lab) -> None:
    """Exit 130 soon, and nothing of the copy stays."""
    with lab.start("run", str(lab.write(single_node(["true"], f"{SIZE}{INPUT}"))), "--json") as process:
        copy = lab.path / "runs"
        deadline = time.monotonic() + 20
        while not list(copy.glob("*/work/inputs/0")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)

    assert result.exit_code == 130
    assert time.monotonic() - began < SOON
    assert not (lab.only_run() / "work").exists()

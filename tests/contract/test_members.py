"""A job of several members without launcher, on every backend: each has its rank, and they find each other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.lab import Lab, Result

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]
Run = Callable[..., Result]
SIZE = 3
# Every member tells the first one its rank and its folder; that one waits for all of them.
MEMBER = """
import json, os, pathlib, socket, time
rank, size, out = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), pathlib.Path(os.environ["WINDTUNNEL_OUT"])
BEGIN
master = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
(out / "rank.txt").write_text(str(rank))
pathlib.Path(os.environ["WINDTUNNEL_METRICS"]).write_text(json.dumps({"metric": "rank", "value": rank}))
if rank:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = socket.create_connection(master, 5)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    connection.sendall(str(rank).encode())
    connection.close()
else:
    with socket.create_server(("", master[1])) as server:
        server.settimeout(60)
        found = []
        for _other in range(size - 1):
            connection, _address = server.accept()
            found.append(int(connection.recv(64)))
            connection.close()
    print("told", json.dumps(sorted(found)), flush=True)
    print(f"members={len(found) + 1}")
"""


def members(first: str = "") -> str:
    """Return a benchmark of a job of members; `first` is what each does first."""
    program = MEMBER.replace("BEGIN", first).replace("$", "$$")
    return f"""
spec_version = "1"
[benchmark]
name = "members"
strategy = "mpi"
timeout = "2m"
[gang]
size = {SIZE}
[client]
image = "IMAGE"
launcher = "none"
command = ["python3", "member.py"]
[client.files]
"member.py" = '''{program}'''
[[metrics]]
name = "members"
pattern = 'members=(\\d+)'
"""


@pytest.mark.long
def test_members_of_a_job_find_the_first_one(lab: Lab, run: Run) -> None:
    """Its output is the one that is measured; what each of them wrote is kept."""
    result = run(members())
    folder = lab.path / "runs" / str(result.record["run_id"])

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["members"]["values"] == [SIZE]
    assert (result.record["metrics"]["rank"]["samples"], result.record["metrics"]["rank"]["mean"]) == (SIZE, 1)
    assert "told [1, 2]" in (folder / "logs" / "client.1.log").read_text()
    assert sorted(path.read_text() for path in folder.glob("artifacts/*/rank.txt")) == ["0", "1", "2"]


@pytest.mark.long
def test_a_member_that_fails_ends_the_others(lab: Lab, run: Run) -> None:
    """At once, though they would wait; it is told by its rank."""
    result = run(members("if rank == 1: raise SystemExit(7)"))

    assert result.exit_code == 1
    assert result.record["cause"]["code"] == "command_failed"
    assert "rank 1" in result.record["cause"]["message"]
    assert "exited with status 7" in result.record["cause"]["message"]
    events = (lab.path / "runs" / str(result.record["run_id"]) / "events.jsonl").read_text().splitlines()
    assert not [each for each in map(json.loads, events) if "left processes behind" in each.get("message", "")]

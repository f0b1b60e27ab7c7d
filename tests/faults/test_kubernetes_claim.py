"""Runs that are stored in a volume claim: what arrives there, and what becomes of a run whose claim fails it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.claims import Claim, request_for, volume
from support.docker_lab import single_node
from support.kubernetes_lab import image, kubectl
from support.lab import Lab, Result, finish
from windtunnel.addresses import ClaimAddress
from windtunnel.backends.kubernetes.agent import PIECE, Agent
from windtunnel.backends.kubernetes.volume_claim import ClaimUpload
from windtunnel.errors import PlatformError, TimedOut
from windtunnel.plan import Plan
from windtunnel.run.control import Control, GracePeriod
from windtunnel.run.folder import RunFolder

pytestmark = [pytest.mark.usefixtures("cluster_empty", "nothing_left"), pytest.mark.timeout(600)]

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
BIG = 5 << 20


@pytest.fixture
def claim(lab: Lab) -> Iterator[Claim]:
    """A claim that anybody may write to."""
    lab.patience = 180
    with volume("777") as claim:
        yield claim


def stored(store: str, script: str = "echo rate=1", tables: str = "") -> str:
    """Return a benchmark of a shell script whose runs go to a claim."""
    image()
    return single_node(["sh", "-c", script], f'{RATE}\n{tables}\n[output]\nstore = "{store}"')


def run(lab: Lab, text: str, *arguments: str) -> Result:
    """Run a benchmark on the cluster."""
    return lab.run(text, "--backend", "kubernetes", *arguments)


def store_of(lab: Lab) -> str:
    """Return what selects the objects that write the one run's claim."""
    return f"windtunnel.dev/run={lab.only_run().name},windtunnel.dev/store"


def sums_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that is kept of a run, by its path in the store."""
    files = [path for path in folder.rglob("*") if path.is_file() and folder / "work" not in path.parents]
    files = [path for path in files if path.suffix != ".tmp"]  # a killed driver leaves the record's room
    return {str(path.relative_to(folder.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_run_is_stored_whole(lab: Lab, claim: Claim) -> None:
    """What is in the claim is what is in the folder, the record says where, and the claim's own pod is gone, too."""
    script = f"head -c {BIG} /dev/urandom > $WINDTUNNEL_OUT/big; : > $WINDTUNNEL_OUT/empty; echo rate=3"
    result = run(lab, stored(claim.store, script))

    assert result.exit_code == 0, result.stderr
    folder = lab.only_run()
    assert result.record["upload"] == {"url": f"{claim.store}/{folder.name}", "complete": True, "error": None}
    assert claim.sums() == sums_of(folder)
    assert json.loads(claim.read(f"{folder.name}/run.json")) == result.record
    assert result.record["metrics"]["rate"]["values"] == [3]
    assert result.record["resources"]["left"] == []


@pytest.mark.full
def test_its_record_says_running_until_the_end(lab: Lab, claim: Claim) -> None:
    """A reader of the claim does not meanwhile take half a run for a whole one; a killed run is sent as lost."""
    text = stored(claim.store, "echo rate=$ITERATION; [ $ITERATION = 1 ] || sleep 1000", "[run]\nrepeats = 2")
    with lab.start("run", str(lab.write(text)), "--backend", "kubernetes") as process:
        lab.wait_for('"iteration":2', 90)
        run_id = lab.only_run().name
        assert json.loads(claim.read(f"{run_id}/run.json"))["status"] == "running"
        process.kill()

    again = lab.call("upload", run_id, "--json")
    assert again.exit_code == 0, again.stderr
    assert claim.sums() == sums_of(lab.only_run())
    assert json.loads(claim.read(f"{run_id}/run.json"))["upload"]["complete"] is True


def test_a_run_whose_claim_is_taken_away_keeps_its_result(lab: Lab, claim: Claim) -> None:
    """Exit 3, with its numbers in the folder; sending it again mends it."""
    with lab.start(
        "run", str(lab.write(stored(claim.store, "sleep 3; echo rate=5"))), "--backend", "kubernetes", "--json"
    ) as process:
        lab.wait_for("iteration_started", 90)
        kubectl("delete", "job", "--selector", store_of(lab), "--wait=false")
        result = finish(process, 180)

    record = result.record
    assert (result.exit_code, result.cause) == (3, "store_failed"), result.stderr
    assert record["metrics"]["rate"]["values"] == [5]
    assert f"windtunnel upload {lab.only_run()}" in record["cause"]["message"]
    assert record["resources"]["left"] == []

    again = lab.call("upload", "last", "--json")
    assert again.exit_code == 0, again.stderr
    assert (again.record["status"], again.record["exit_code"], again.record["cause"]) == ("succeeded", 0, None)
    assert json.loads(claim.read(f"{record['run_id']}/run.json")) == again.record


@pytest.mark.parametrize(
    "kind", ["unwritable", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("missing", "unbound"))]
)
def test_a_claim_that_cannot_be_written_is_refused_before_anything_starts(lab: Lab, kind: str) -> None:
    """Exit 3 without a run, in words that say which claim, and why."""
    lab.patience = 180
    with volume("755") as claim:
        words = "Permission denied"
        store = claim.store
        if kind == "missing":
            store, words = "pvc://windtunnel-tests-none/x", "there is no claim 'windtunnel-tests-none' in namespace"
        if kind == "unbound":
            kubectl("create", "--filename", "-", text=json.dumps(request_for(f"{claim.name}-unbound")))
            store, words = f"pvc://{claim.name}-unbound/x", "unbound immediate PersistentVolumeClaims"
        try:
            result = run(lab, stored(store))
        finally:
            kubectl("delete", "pvc", f"{claim.name}-unbound", "--ignore-not-found")

    assert (result.exit_code, result.cause) == (3, "store_failed"), result.stderr
    assert result.record["run_id"] is None
    message = result.record["cause"]["message"]
    assert message.startswith(store)
    assert words in message
    assert ("65534" in message) == (kind == "unwritable")
    assert list((lab.path / "runs").iterdir()) == []


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.full), signal.SIGKILL])
def test_a_run_that_ends_while_its_claim_is_opened_leaves_nothing(
    lab: Lab, claim: Claim, cluster_empty: Callable[[], None], how: signal.Signals
) -> None:
    """Not even the pod that would have written it."""
    with lab.start("run", str(lab.write(stored(claim.store))), "--backend", "kubernetes", "--json") as process:
        while not list(lab.path.glob("runs/*/plan.json")):
            assert process.poll() is None
        while not kubectl("get", "jobs", "--selector", store_of(lab), "--output", "name"):
            assert process.poll() is None
        process.send_signal(how)
        result = finish(process, 90)

    assert result.exit_code == (130 if how is signal.SIGINT else -signal.SIGKILL)
    cluster_empty()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The folder of a run, with a record, an empty file and one of many pieces."""
    made = RunFolder(tmp_path / "runs" / f"run-{uuid4().hex[:8]}")
    made.path.mkdir(parents=True)
    made.write_json("plan.json", Plan(benchmark="bench", strategy="single-node", timeout=60, steps=()).to_json())
    (made.path / "run.json").write_text("{}", encoding="utf-8")
    (made.path / "empty").write_bytes(b"")
    (made.path / "large").write_bytes(os.urandom(40 * PIECE + 7))
    return made


@contextmanager
def upload(folder: RunFolder, claim: Claim) -> Iterator[ClaimUpload]:
    """Lend what sends a run to a claim."""
    opened = ClaimUpload(folder, ClaimAddress(claim.name, "nightly"), Control(60))
    try:
        yield opened
    finally:
        assert opened.close() == []


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each piece that is sent, by the name of its file."""
    found: list[str] = []
    whole = Agent.ask

    def ask(self: Agent, deed: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        if deed == "write_file":
            found.append(Path(arguments["path"]).name)
        return whole(self, deed, seconds, **arguments)

    monkeypatch.setattr(Agent, "ask", ask)
    return found


def test_an_upload_that_was_cut_goes_on_where_it_was(folder: RunFolder, claim: Claim, written: list[str]) -> None:
    """Pieces that had arrived are not sent again, nor files that are there; one that was changed there is."""
    control = Control(60)
    with upload(folder, claim) as first, pytest.raises(TimedOut):
        first.send(Interrupted(lambda: written.count("large") >= 20, control))
    assert not any(path.endswith("/large") for path in claim.sums())
    assert "large.part" in "".join(claim.sums())

    written.clear()
    with upload(folder, claim) as second:
        second.send(control)
    assert claim.sums() == sums_of(folder.path)
    assert written.count("large") <= 22
    assert written[-1] == "run.json"

    written.clear()
    claim.run(f"echo other > {claim.folder}/nightly/{folder.run_id}/run.json")
    with upload(folder, claim) as third:
        third.send(control)
        third.send(control)
    assert written == ["run.json"]
    assert claim.sums() == sums_of(folder.path)


def test_what_has_arrived_otherwise_is_sent_from_its_beginning(
    folder: RunFolder, claim: Claim, written: list[str]
) -> None:
    """A part of something else is no part of this."""
    place = f"{claim.folder}/nightly/{folder.run_id}"
    claim.run(f"mkdir -p {place} && head -c 1000000 /dev/zero > {place}/.large.part && chmod -R 777 {place}")
    with upload(folder, claim) as sender:
        sender.send(Control(60))

    assert written.count("large") == 41
    assert claim.sums() == sums_of(folder.path)


def test_a_full_volume_is_told(folder: RunFolder, claim: Claim) -> None:
    """In the words of the pod that has the volume."""
    claim.run(f"mount -t tmpfs -o size=1m,mode=777 tmpfs {claim.folder}")
    try:
        with upload(folder, claim) as sender, pytest.raises(PlatformError, match="No space left") as error:
            sender.send(Control(60))
    finally:
        claim.run(f"umount {claim.folder}")
    assert error.value.code == "store_failed"


class Interrupted(GracePeriod):
    """Ends what asks it once something holds."""

    def __init__(self, holds: Callable[[], bool], control: Control) -> None:
        super().__init__(control)
        self._holds = holds

    def check(self) -> None:
        """Raise TimedOut if it does."""
        super().check()
        if self._holds():
            raise TimedOut("interrupted")

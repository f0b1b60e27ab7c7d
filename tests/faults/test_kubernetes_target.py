"""Two runs on one target of a cluster: of the second nothing is made before all of the first is gone."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from support.argo_lab import argo, submitted
from support.claims import volume
from support.docker_lab import client_server
from support.kubernetes_faults import FINISH_SECONDS, ITERATIONS, Fault
from support.kubernetes_history import History, check_turns, history
from support.kubernetes_lab import kubectl
from support.lab import Lab, finish

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]


class Queue:
    """Two runs on one target: the first measures, and the second waits for it.

    Args:
        fault: The first run's lab.
        path: A folder for the second.
    """

    def __init__(self, fault: Fault, path: Path) -> None:
        self.fault, self.target = fault, f"box-{uuid4().hex[:8]}"
        path.mkdir()
        self.second = Lab(path, env=fault.lab.env)

    def text(self, client: str, repeats: int) -> str:
        """Return a benchmark on the target."""
        tables = f'[target]\nname = "{self.target}"\n[run]\nrepeats = {repeats}'
        return client_server(client=client, tables=tables)

    def hanging(self) -> AbstractContextManager[subprocess.Popen[str]]:
        """Lend the driver of the first once its client hangs."""
        return self.fault.hanging(self.text(f"--hang-in {ITERATIONS}", ITERATIONS))

    @property
    def quick(self) -> str:
        """The benchmark of the second."""
        return self.text("--requests 3", 1)

    @property
    def words(self) -> str:
        """What the second says while the first has the target."""
        return f"waits for target {self.target}: run {self.fault.lab.only_run().name} has it"

    @contextmanager
    def waiting(self) -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
        """Lend the drivers of both once the first one's client hangs and the second one waits."""
        with (
            self.hanging() as first,
            self.second.start("run", str(self.second.write(self.quick)), "--backend", "kubernetes", "--json") as second,
        ):
            try:
                self.second.wait_for(self.words)
                yield first, second
            finally:
                if second.poll() is None:
                    second.kill()

    def check_turns(self, found: History, second_run: str) -> None:
        """Check that the first run's last object was gone before the second one's first was made, and the turn is."""
        check_turns(found, self.fault.lab.only_run().name, second_run)
        assert kubectl("get", "leases", "--selector", f"windtunnel.dev/target={self.target}", "--output", "name") == ""


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.full)],
    ids=["cancelled", "driver killed"],
)
def test_the_next_run_on_a_target_begins_when_the_one_before_it_is_gone(
    fault: Fault, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    """Ended while it measures. If its driver is killed, its warden ends it, and nobody gives the target back."""
    queue = Queue(fault, tmp_path / "second")
    with history() as found:
        with queue.waiting() as (first, second):
            first.send_signal(number)
            assert finish(first, FINISH_SECONDS).exit_code == exit_code
            result = finish(second, FINISH_SECONDS)
            assert result.exit_code == 0, result.stderr
        queue.check_turns(found, queue.second.only_run().name)


@pytest.mark.full
@pytest.mark.usefixtures("argo")
def test_a_workflow_waits_for_its_turn_as_a_run_of_the_command_line_does(fault: Fault, tmp_path: Path) -> None:
    """Its driver says what it waits for; the workflow succeeds after the run before it was cancelled."""
    queue = Queue(fault, tmp_path / "second")
    with (
        history() as found,
        volume("777") as claim,
        queue.hanging() as first,
        submitted(queue.quick, claim.store) as second,
    ):
        second.meanwhile(lambda: queue.words in argo("logs", second.name).stdout, "wait for the target")
        first.send_signal(signal.SIGINT)
        assert finish(first, FINISH_SECONDS).exit_code == 130
        assert second.end() == "Succeeded"
        run_id = second.run_id()
        second.until(lambda: not second.left(), "end of what its run made")
    queue.check_turns(found, run_id)

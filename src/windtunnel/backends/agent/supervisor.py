"""The supervisor: a small process beside a run's processes that ends them when nobody else does.

It is run by its path in an isolated interpreter, so it imports the standard library only, and
little of that: it starts in some 25 ms. It leads a session of its own (a terminal's Ctrl-C does
not reach it) and is the subreaper of all steps: whatever leaves its group, its session or its
parent is still below it. Each step has a keeper, a fork of the supervisor, that is the subreaper
of that step alone: so it is known which step a daemon belongs to. A keeper whose step has wholly
ended takes the next one, since a fork costs as much as a small step.

Whatever ends the wait for the driver (`watchdog`): everything below is killed, and then the
supervisor ends. It answers, and its keepers do, as `protocol` says::

    {"id": n, "do": "spawn", "name": …, "argv": […], "cwd": …, "env": {…}, "output": path}
        -> {"id": n, "pid": …, "keeper": …} or {"id": n, "error": …, "errno": …}
        -> {"event": "exited", "name": …, "status": …, "left": bool, "cpu": s, "waited": s, "memory": bytes}
        -> {"event": "gone", "name": …, "cpu": s, "waited": s, "memory": bytes}    its last descendant has ended
    {"do": "terminate", "name": …}    SIGTERM to the step's topmost processes, once to each
    {"do": "kill", "name": …}         SIGKILL to all of the step's processes
    {"id": n, "do": "list"} -> {"id": n, "processes": [[pid, name], …]}
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from windtunnel.backends.agent.keeper import keep
from windtunnel.backends.agent.processes import become_subreaper, below, process_table, send_signal
from windtunnel.backends.agent.protocol import BUG, send
from windtunnel.backends.agent.watchdog import Watchdog

KILL_ROUND_SECONDS = 0.01
KILL_ROUNDS_AT_ONCE = 200

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Supervisor(Watchdog):
    """Obeys the driver and outlives it just long enough.

    Attributes:
        busy: The request that started each step, and its keeper, by the step's name.
        pipes: The pipe to each keeper.
        idle: Keepers without a step.
        terminated: Processes that had their SIGTERM.
        has_bug: Whether a keeper has ended of a bug.
    """

    def __init__(self, driver: int, seconds: float) -> None:
        super().__init__(driver, seconds)
        self.busy: dict[str, tuple[int, int]] = {}
        self.pipes: dict[int, int] = {}
        self.idle: list[int] = []
        self.terminated: set[int] = set()
        self.has_bug = False
        self.idle_pipe, self.idle_end = os.pipe()
        self.wake, wake_end = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def look(self, readable: list[int]) -> None:
        """Reap what has ended, and take back keepers that are free."""
        if self.wake in readable:
            os.read(self.wake, 4096)
            self.reap_children()
        if self.idle_pipe in readable:
            self.take_back()
        if self.has_bug:
            raise RuntimeError("a keeper has ended of a bug")

    def obey(self, request: dict[str, Any]) -> None:
        """Do what the driver asks for; a step that is gone needs no signal."""
        deed = request["do"]
        if deed == "spawn":
            keeper = self.idle.pop() if self.idle else self.fork_keeper()
            self.busy[request["name"]] = request["id"], keeper
            with open(self.pipes[keeper], "w", encoding="utf-8", closefd=False) as pipe:
                pipe.write(json.dumps(request) + "\n")
        elif deed == "list":
            table = process_table()
            living = [[pid, table[pid][1]] for pid in below(os.getpid(), table) if pid not in self.pipes]
            send({"id": request["id"], "processes": living})
        elif request["name"] in self.busy:
            _request, keeper = self.busy[request["name"]]
            if deed == "terminate":
                self.terminate_below(keeper)
            elif deed == "kill":
                self.kill_below(keeper, spare={keeper})

    def fork_keeper(self) -> int:
        """Return a new keeper, which waits for a step."""
        commands, commands_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            for end in (commands_end, *self.pipes.values()):
                os.close(end)
            keep(commands, self.idle_end)
        os.close(commands)
        self.pipes[pid] = commands_end
        return pid

    def take_back(self) -> None:
        """Make keepers whose step has ended free for the next one."""
        for word in os.read(self.idle_pipe, 4096).split():
            keeper = int(word)
            self.busy = {name: pair for name, pair in self.busy.items() if pair[1] != keeper}
            self.idle.append(keeper)
        if not self.busy:
            self.terminated.clear()

    def terminate_below(self, keeper: int) -> None:
        """Send SIGTERM to a step's topmost processes that had none."""
        top = {pid for pid, (parent, _name, _lives) in process_table().items() if parent == keeper}
        for pid in top - self.terminated:
            send_signal(pid, signal.SIGTERM)
        self.terminated |= top

    def kill_below(self, top: int, spare: set[int]) -> bool:
        """Kill everything below `top`; return whether nothing is left there."""
        for _round in range(KILL_ROUNDS_AT_ONCE):
            self.reap_children()
            victims = [pid for pid in below(top, process_table()) if pid not in spare]
            if not victims:
                return True
            for pid in victims:
                send_signal(pid, signal.SIGKILL)
            time.sleep(KILL_ROUND_SECONDS)
        return False

    def reap_children(self) -> None:
        """Reap keepers that are done, and orphans of a keeper that was killed."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.pipes:
                self.lose(pid)
                self.has_bug = self.has_bug or os.waitstatus_to_exitcode(status) == BUG

    def lose(self, keeper: int) -> None:
        """Note that a keeper has ended: its step's processes are the supervisor's now, and end with the run."""
        os.close(self.pipes.pop(keeper))
        self.idle = [each for each in self.idle if each != keeper]
        for name, (request, _keeper) in [(name, pair) for name, pair in self.busy.items() if pair[1] == keeper]:
            del self.busy[name]
            # A command may kill its keeper before that has answered; the driver takes the first answer.
            send({"id": request, "pid": 0, "keeper": keeper})
            send({"event": "gone", "name": name, "cpu": 0.0, "waited": 0.0, "memory": 0})


def main() -> None:
    """Run with the driver's process id, seconds, and the run's id, which is there for people to see."""
    driver, seconds, _run_id = sys.argv[1:]
    become_subreaper()
    supervisor = Supervisor(int(driver), float(seconds))
    try:
        supervisor.watch((supervisor.wake, supervisor.idle_pipe))
    finally:
        while not supervisor.kill_below(os.getpid(), spare=set()):
            pass

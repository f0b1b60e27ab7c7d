"""The warden: a small process beside a run's processes that ends them when nobody else does.

It is run by path in an isolated interpreter, so it imports the standard library only and
starts in some 25 ms. It leads a session of its own (a terminal's Ctrl-C does not reach it)
and is the subreaper of all steps: whatever leaves its group, its session or its parent is
still below it. Each step has a keeper, a fork of the warden, that is the subreaper of that
step alone: so it is known which step a daemon belongs to. A keeper whose step has wholly
ended takes the next one, since a fork costs as much as a small step.

Standard input: commands of the driver, a line of JSON each. Standard output: events, a
line of JSON each; a line is shorter than PIPE_BUF, so keepers write to it side by side.
The end of standard input, another parent, the deadline or SIGTERM: everything below is
killed, and then the warden ends.

    {"op": "spawn", "id": …, "argv": […], "cwd": …, "env": {…}, "output": path}
        -> {"event": "started", "id": …, "pid": …} or {"event": "failed", "id": …, "errno": …}
        -> {"event": "exited", "id": …, "status": …, "left": bool, "cpu": s, "waited": s, "memory": bytes}
        -> {"event": "gone", "id": …, "cpu": s, "memory": bytes}    its last descendant has ended
    {"op": "terminate", "id": …}    SIGTERM to the step's topmost processes, once to each
    {"op": "kill", "id": …}         SIGKILL to all of the step's processes
    {"op": "list"} -> {"event": "list", "processes": [[pid, name], …]}
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import stat
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.25
KILL_ROUND_SECONDS = 0.01
KILL_ROUNDS_AT_ONCE = 200

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def become_subreaper() -> None:
    """Make this process the parent of every orphan below it (Linux, prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def send(event: dict[str, Any]) -> None:
    """Write one event; a driver that is gone does not read it, and that is fine."""
    try:
        os.write(1, json.dumps(event).encode() + b"\n")
    except OSError:
        pass


def process_table() -> dict[int, tuple[int, str, bool]]:
    """Return parent, name and whether it lives, of every process that /proc shows (proc_pid_stat(5)).

    A process whose main thread has ended is in state Z while its other threads go on: it has
    ended only when no other thread is left.
    """
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    stat = file.read()
            except OSError:
                continue
            # The name is in parentheses and may itself hold spaces and parentheses.
            name = stat[stat.index("(") + 1 : stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2 :].split()
            state, parent, threads = fields[0], int(fields[1]), int(fields[17])
            table[int(entry)] = (parent, name, state != "Z" or threads > 1)
    return table


def below(top: int, table: dict[int, tuple[int, str, bool]]) -> list[int]:
    """Return every living process below `top`."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _name, _lives) in table.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = [], [top]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            waiting.append(pid)
            if table[pid][2]:
                found.append(pid)
    return found


def send_signal(pid: int, number: int) -> None:
    """Signal a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except OSError:
        pass


def keep(commands: int, idle: int) -> NoReturn:
    """Be a keeper: run one step after the other, reap all of its processes, tell what became of it.

    Args:
        commands: Pipe with the steps to run, a line of JSON each; its end is the keeper's.
        idle: Pipe to write this keeper's id to when nothing runs below it any more.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    become_subreaper()
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    # Only the driver's end may keep the warden's standard input open.
    os.dup2(nothing, 0)
    with open(commands, encoding="utf-8") as lines:
        for line in lines:
            command = json.loads(line)
            try:
                main = start(command)
            except (OSError, ValueError) as error:
                error = error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
                send({"event": "failed", "id": command["id"], "errno": error.errno, "message": error.strerror})
            else:
                send({"event": "started", "id": command["id"], "pid": main, "keeper": os.getpid()})
                reap(command["id"], main)
            os.write(idle, b"%d\n" % os.getpid())
    os._exit(0)


def start(command: dict[str, Any]) -> int:
    """Start a step's command in a session of its own and return its process id."""
    os.chdir(command["cwd"])
    output = open_output(command["output"])
    try:
        return os.posix_spawn(
            command["argv"][0],
            command["argv"],
            command["env"],
            file_actions=[(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
            setsigmask=[],
        )
    finally:
        os.close(output)


def open_output(path: str) -> int:
    """Return a descriptor of the file that a step's output is appended to (OSError that tells of it).

    Another step may have put a pipe there: without O_NONBLOCK its opening waits for a reader.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    problem = "something else than a file is in its place"
    try:
        output = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno not in {errno.ENXIO, errno.EISDIR}:
            problem = str(error.strerror)
    else:
        if stat.S_ISREG(os.fstat(output).st_mode):
            os.set_blocking(output, True)
            return output
        os.close(output)
    # ENOENT would be taken for the command's.
    raise OSError(errno.EIO, f"its output {os.path.basename(path)} cannot be written: {problem}")


def reap(name: str, main: int) -> None:
    """Wait for all of a step's processes; they are this keeper's children sooner or later."""
    totals = {"cpu": 0.0, "waited": 0.0, "memory": 0}
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            pid = ended.si_pid if ended else -1
            totals["waited"] += run_delay(pid)
            pid, status, used = os.wait4(pid, 0)
        except ChildProcessError:
            break
        totals["cpu"] += used.ru_utime + used.ru_stime
        totals["memory"] = max(totals["memory"], used.ru_maxrss * 1024)
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
            send({"event": "exited", "id": name, "status": code, "left": has_children(), **totals})
    send({"event": "gone", "id": name, **totals})


def run_delay(pid: int) -> float:
    """Return the seconds that a process's main thread waited for a CPU (Linux, sched-stats.rst)."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def has_children() -> bool:
    """Tell whether this process has a child, alive or not yet reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


class Warden:
    """The loop that obeys the driver and outlives it just long enough."""

    def __init__(self, driver: int, deadline: float) -> None:
        self.driver = driver
        self.deadline = deadline
        self.busy: dict[str, int] = {}
        self.pipes: dict[int, int] = {}
        self.idle: list[int] = []
        self.terminated: set[int] = set()
        self.idle_pipe, self.idle_end = os.pipe()
        self.buffer = b""
        self.over = False
        self.wake, wake_end = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop(self, _number: int, _frame: object) -> None:
        """End the loop, and with it everything (SIGTERM)."""
        self.over = True

    def watch(self) -> None:
        """Obey until the driver is gone or the deadline is over."""
        while not self.over:
            readable, _, _ = select.select([0, self.wake, self.idle_pipe], [], [], POLL_SECONDS)
            if self.wake in readable:
                os.read(self.wake, 4096)
                self.reap_children()
            if self.idle_pipe in readable:
                self.take_back()
            if 0 in readable:
                self.read_commands()
            # A child of the driver may hold the pipe open after the driver is gone.
            if os.getppid() != self.driver or time.monotonic() > self.deadline:
                self.over = True

    def read_commands(self) -> None:
        """Obey every whole line that has come; an end of file ends the loop."""
        chunk = os.read(0, 1 << 20)
        if not chunk:
            self.over = True
            return
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))

    def obey(self, command: dict[str, Any]) -> None:
        """Do one command."""
        if command["op"] == "spawn":
            keeper = self.idle.pop() if self.idle else self.fork_keeper()
            self.busy[command["id"]] = keeper
            with open(self.pipes[keeper], "w", encoding="utf-8", closefd=False) as pipe:
                pipe.write(json.dumps(command) + "\n")
        elif command["op"] == "list":
            table = process_table()
            living = [[pid, table[pid][1]] for pid in below(os.getpid(), table) if pid not in self.pipes]
            send({"event": "list", "processes": living[:50]})
        elif command["id"] in self.busy:
            keeper = self.busy[command["id"]]
            if command["op"] == "terminate":
                top = {pid for pid, (parent, _name, _lives) in process_table().items() if parent == keeper}
                for pid in top - self.terminated:
                    send_signal(pid, signal.SIGTERM)
                self.terminated |= top
            elif command["op"] == "kill":
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
            self.busy = {name: pid for name, pid in self.busy.items() if pid != keeper}
            self.idle.append(keeper)
        if not self.busy:
            self.terminated.clear()

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
                pid, _status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.pipes:
                os.close(self.pipes.pop(pid))
                self.idle = [keeper for keeper in self.idle if keeper != pid]
                for name in [name for name, keeper in self.busy.items() if keeper == pid]:
                    # Its step's processes are now the warden's own: they end with the run.
                    del self.busy[name]
                    send({"event": "gone", "id": name, "cpu": 0.0, "waited": 0.0, "memory": 0})


def main() -> None:
    """Run as ``warden.py DRIVER_PID SECONDS RUN_ID``; the run's id is there for people to see."""
    driver, seconds = int(sys.argv[1]), float(sys.argv[2])
    become_subreaper()
    warden = Warden(driver, time.monotonic() + seconds)
    send({"event": "ready"})
    try:
        warden.watch()
    finally:
        while not warden.kill_below(os.getpid(), spare=set()):
            pass


if __name__ == "__main__":
    main()

"""A keeper: a fork of the supervisor that runs one step after the other and tells what became of each.

It is the subreaper of its step: whatever that starts is below the keeper until it has ended.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import stat

from windtunnel.backends.agent.processes import become_subreaper
from windtunnel.backends.agent.protocol import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


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
                send({"id": command["id"], "error": error.strerror, "errno": error.errno})
            else:
                send({"id": command["id"], "pid": main, "keeper": os.getpid()})
                reap(command["name"], main)
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
            send({"event": "exited", "name": name, "status": code, "left": has_children(), **totals})
    send({"event": "gone", "name": name, **totals})


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

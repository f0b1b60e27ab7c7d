"""The processes of a Linux machine, as /proc shows them: who is below whom, and who lives."""

from __future__ import annotations

import ctypes
import os

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Make this process the parent of every orphan below it (Linux, prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


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

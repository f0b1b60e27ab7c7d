"""Where a fault is tried: each backend, with the benchmarks of the test programs written for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from support import docker_lab
from support.lab import Lab, Result
from support.lab import client_server as of_processes
from support.lab import single_node as of_a_process

GRACE = 'grace = "1s"'


@dataclass(frozen=True)
class Stage:
    """A backend, and how a run on it is judged from outside.

    Attributes:
        backend: Its name.
        lab: Where runs are started.
        run: Runs a benchmark to its end.
        ended: Checks exit code and cause of a run, and that nothing of it is left; returns the cause in words.
    """

    backend: str
    lab: Lab
    run: Callable[[str], Result]
    ended: Callable[[Result, int, str], str]

    def client_server(self, *, server_keys: str = "", **parts: str) -> str:
        """Return a benchmark of the two test programs, as `support.docker_lab.client_server` does."""
        if self.backend != "process":
            return docker_lab.client_server(server_keys=server_keys, **parts)
        return of_processes(**parts).replace(GRACE, f"{GRACE}\n{server_keys}")

    def single_node(self, command: list[str], tables: str = "", *, client: str = "", target: str = "plain") -> str:
        """Return a benchmark of one command, as `support.docker_lab.single_node` does."""
        if self.backend != "process":
            return docker_lab.single_node(command, tables, client=client, target=target)
        return of_a_process(command, f"{client}\n{tables}")

"""Questions to a step: probes, and commands beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from windtunnel.backends.asking import Answer
from windtunnel.backends.base import Address
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.calls import Cluster
from windtunnel.backends.kubernetes.commands import run_command
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.probes import ask
from windtunnel.plan import Probe
from windtunnel.substitution import substitute

_ASKED_OVER_NETWORK = {"http", "tcp"}
_LOOPBACK_HINT = "; in a pod a server has to listen on all addresses (0.0.0.0), not on 127.0.0.1 alone"
_REFUSED = "connection refused"


@dataclass(frozen=True)
class Questions:
    """Asks steps.

    Attributes:
        cluster: Where their pods are.
        agent: Asks from within the cluster.
    """

    cluster: Cluster
    agent: Agent

    def ask(self, running: RunningStep, probe: Probe, timeout: float) -> Answer:
        """Ask all of a step's replicas; a yes is one if the way through the Service leads there too."""
        answer = Answer(ok=False, detail="no pod")
        for replica in running.replicas:
            answer = self._ask_replica(running, replica, probe, timeout)
            if not answer.ok:
                hint = _LOOPBACK_HINT if answer.detail == _REFUSED else ""
                return replace(answer, detail=f"{answer.detail}{hint}")
        if running.address.port and not running.is_reached and not running.is_in_client:
            # A server's own answer is not enough: the client takes the way through the Service.
            host, port = running.address.host, running.address.port
            answer = self.agent.probe("tcp", host, port, "", timeout)
            if not answer.ok:
                return replace(answer, detail=f"the Service {host}:{port}: {answer.detail}{_LOOPBACK_HINT}")
            running.is_reached = True
        return answer

    def _ask_replica(self, running: RunningStep, replica: Replica, probe: Probe, timeout: float) -> Answer:
        port = probe.port or running.address.port or 0
        if probe.kind in _ASKED_OVER_NETWORK:
            return self.agent.probe(probe.kind, replica.view.ip, port, probe.target, timeout)
        log = replica.output.path if replica.output else running.log
        address = Address(replica.view.ip, running.address.port)
        return ask(probe, address, log, partial(self._run_in, running, replica), timeout, running.reader)

    def run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        """Run a command in all of a step's containers; return the first answer that is no yes, else the first."""
        answers = [self._run_in(running, replica, command, seconds) for replica in running.replicas]
        return next((answer for answer in answers if not answer.ok), answers[0])

    def _run_in(self, running: RunningStep, replica: Replica, command: tuple[str, ...], seconds: float) -> Answer:
        argv = [substitute(word, running.values) for word in command]
        return run_command(self.cluster, replica, running.name, argv, seconds)

"""What a cluster's network does where it enforces policies, for the sealed pods of the test cluster alone.

The test cluster's own network accepts a NetworkPolicy and does nothing. This does with iptables, on
the workers, what the policy of a sealed pod says: it reaches pods of its run, and no others.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from cluster import docker as nodes
from cluster import places
from support.kubernetes_lab import kubectl, worker_names

_PAUSE_SECONDS = 0.2
_RUN, _SEALED = "windtunnel.dev/run", "windtunnel.dev/sealed"


@contextmanager
def mine() -> Iterator[None]:
    """Have no other test enforce anything, meanwhile."""
    with places.locked("policies"):
        yield


@contextmanager
def enforced() -> Iterator[None]:
    """Enforce what sealed pods of all runs may do, meanwhile."""
    with mine():
        agent = _Agent(f"SEALED-{token_hex(3)}")
        try:
            yield
        finally:
            agent.close()


class _Agent:
    def __init__(self, chain: str) -> None:
        self._chain, self._rules = chain, ""
        self._over = threading.Event()
        self._workers = worker_names()
        for worker in self._workers:
            script = f"iptables -N {chain}; iptables -I FORWARD -j {chain}; iptables -I INPUT -j {chain}"
            nodes.in_node(worker, ["sh", "-ec", script])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Enforce no more."""
        self._over.set()
        self._thread.join()
        for worker in self._workers:
            script = f"iptables -D FORWARD -j {self._chain}; iptables -D INPUT -j {self._chain}"
            nodes.in_node(worker, ["sh", "-c", f"{script}; iptables -F {self._chain}; iptables -X {self._chain}"])

    def _run(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            pods = json.loads(kubectl("get", "pods", "--selector", _RUN, "--output", "json"))["items"]
            rules = "\n".join(self._rules_for(pods))
            if rules != self._rules:
                for worker in self._workers:
                    # All at once: there is no moment in which nothing is enforced.
                    text = f"*filter\n-F {self._chain}\n{rules}\nCOMMIT\n"
                    nodes.in_node(worker, ["sh", "-ec", f"iptables-restore --noflush <<'END'\n{text}END"])
                self._rules = rules

    def _rules_for(self, pods: list[dict[str, Any]]) -> Iterator[str]:
        addresses: dict[str, set[str]] = {}
        for pod in pods:
            if ip := pod["status"].get("podIP"):
                addresses.setdefault(pod["metadata"]["labels"][_RUN], set()).add(ip)
        for pod in pods:
            ip, labels = pod["status"].get("podIP"), pod["metadata"]["labels"]
            if not ip or labels.get(_SEALED) != "true":
                continue
            begin = f"-A {self._chain} -s {ip}"
            yield f"{begin} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
            yield from (f"{begin} -d {peer} -j ACCEPT" for peer in sorted(addresses[labels[_RUN]] - {ip}))
            yield f"{begin} -j REJECT --reject-with icmp-admin-prohibited"

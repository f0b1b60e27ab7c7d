"""A run's networks: one that leads out, one that leads nowhere, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psutil

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.resource_maker import ResourceMaker
from windtunnel.backends.docker.run_spec import is_sealed, network_specs, networks_of
from windtunnel.backends.probes import OVER_NETWORK
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan, Program, Service


class Networks:
    """The networks of one run, which are made at once (see `network_specs`).

    Args:
        api: The daemon.
        maker: Makes them.
        plan: The run's steps.

    Raises:
        PlatformError: The daemon refuses, or cannot seal a network (``not_sealed``).

    Attributes:
        keys: Id of each, by its name.
    """

    def __init__(self, api: DockerApi, maker: ResourceMaker, plan: Plan) -> None:
        self._api, self._run, self._plan = api, maker.run_id, plan
        self.keys: dict[str, str] = {}
        for name, spec in network_specs(maker.run_id, plan).items():
            self.keys[name] = maker.make_network(name, spec)
            if is_sealed(spec):
                self._check_seal(name)

    def of(self, program: Program) -> list[str]:
        """Return the names of the networks that a step is on; on the first one it is asked."""
        return networks_of(self._run, self._plan, program)

    def connect(self, container: str, networks: Sequence[str], names: Sequence[str]) -> None:
        """Put a container on more networks, under some names (DaemonError, OSError)."""
        for network in networks:
            body = {"Container": container, "EndpointConfig": {"Aliases": list(names)}}
            self._api.call("POST", f"/networks/{self.keys[network]}/connect", body)

    def check_reach(self, plan: Plan, host: str) -> None:
        """Check that open containers can be asked from here: their network's own address is one of this machine's.

        Args:
            plan: The run's steps.
            host: What the daemon is called.

        Raises:
            PlatformError: They cannot, and a probe would have to (``daemon_remote``).
        """
        if not any(_probes_from_here(plan)):
            return
        if not self._is_gateway_here(self._run):
            raise PlatformError(
                f"the containers of {host} cannot be reached from this machine, so probes by http and tcp"
                " cannot be asked; use exec or log probes, or run Windtunnel where the daemon runs",
                code="daemon_remote",
            )

    def _check_seal(self, name: str) -> None:
        """Check that a sealed network leads nowhere: a daemon leaves out what it does not know without a word."""
        if self._is_gateway_here(name):
            raise PlatformError(
                "this Docker gives a sealed network an address of its machine, through which steps would get out;"
                " use Docker Engine 20.10 or newer",
                code="not_sealed",
            )

    def _is_gateway_here(self, name: str) -> bool:
        """Tell whether a network's own address is one of this machine's."""
        with map_errors("looking at the run's network"):
            facts = self._api.call("GET", f"/networks/{self.keys[name]}")
        gateways = {config.get("Gateway") for config in facts["IPAM"]["Config"] or ()}
        return bool(gateways & {item.address for group in psutil.net_if_addrs().values() for item in group})


def _probes_from_here(plan: Plan) -> Iterator[bool]:
    for step in plan.steps:
        if isinstance(step, Service) and step.program.isolation == "open":
            yield step.ready.probe.kind in OVER_NETWORK
            yield step.live is not None and step.live.probe.kind in OVER_NETWORK

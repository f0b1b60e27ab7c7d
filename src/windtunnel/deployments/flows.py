"""The former name of `windtunnel.engines.prefect.flows`: entrypoints of deployments that were made under it."""

from windtunnel.engines.prefect.flows import client_server, reap, single_node

__all__ = ["client_server", "reap", "single_node"]

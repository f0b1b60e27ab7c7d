"""Prefect flow of the strategy client-server: servers, and a client that measures them."""

from windtunnel.engines.prefect.flows import client_server

__all__ = ["client_server"]

"""Prefect flow of the strategy single-node: one program that measures itself."""

from windtunnel.deployments.flows import single_node

__all__ = ["single_node"]

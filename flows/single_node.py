"""Prefect flow of the strategy single-node: one program that measures itself."""

from windtunnel.engines.prefect.flows import single_node

__all__ = ["single_node"]

"""Prefect flow of the strategy mpi: workers at once, and a launcher that runs ranks on them."""

from windtunnel.engines.prefect.flows import mpi_job

__all__ = ["mpi_job"]

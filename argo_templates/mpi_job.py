"""WorkflowTemplate of the strategy mpi; mpi_job.yaml is its rendering."""

from windtunnel.engines.argo.templates import template

mpi_job = template("mpi")

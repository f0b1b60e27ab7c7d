"""WorkflowTemplate of the strategy client-server; client_server.yaml is its rendering."""

from windtunnel.engines.argo.templates import template

client_server = template("client-server")

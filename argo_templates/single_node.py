"""WorkflowTemplate of the strategy single-node; single_node.yaml is its rendering."""

from windtunnel.engines.argo.templates import template

single_node = template("single-node")

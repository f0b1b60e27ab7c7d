"""Former names of modules, which deployments on a server, and templates and schedules in a cluster, still have."""

"""A Kubernetes cluster on this machine, built from Go modules: ``make cluster-up``."""

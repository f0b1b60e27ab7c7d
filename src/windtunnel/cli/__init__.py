"""The command line. Modules register their commands when they are imported."""

from windtunnel.cli import (
    argo,
    compare,
    deploy,
    descriptor,
    export,
    flow_pod,
    install,
    maintenance,
    results,
    run,
    upload,
)
from windtunnel.cli.app import app, main

__all__ = [
    "app",
    "argo",
    "compare",
    "deploy",
    "descriptor",
    "export",
    "flow_pod",
    "install",
    "main",
    "maintenance",
    "results",
    "run",
    "upload",
]

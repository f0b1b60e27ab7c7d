"""The command line. Modules register their commands when they are imported."""

from windtunnel.cli import argo, deploy, descriptor, maintenance, results, run, upload
from windtunnel.cli.app import app, main

__all__ = ["app", "argo", "deploy", "descriptor", "main", "maintenance", "results", "run", "upload"]

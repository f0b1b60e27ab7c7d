"""The command line. Modules register their commands when they are imported."""

from windtunnel.cli import argo, author, care, deploy, results, run, upload
from windtunnel.cli.app import app, main

__all__ = ["app", "argo", "author", "care", "deploy", "main", "results", "run", "upload"]

"""The command line. Modules register their commands when they are imported."""

from windtunnel.cli import author, care, deploy, results, run, upload
from windtunnel.cli.app import app, main

__all__ = ["app", "author", "care", "deploy", "main", "results", "run", "upload"]

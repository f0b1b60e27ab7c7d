"""The command that a flow run's pod begins with; the pod's template calls it."""

from __future__ import annotations

from typing import Annotated

import typer

from windtunnel.cli.app import app


@app.command(hidden=True, epilog="Example: windtunnel flow-pod -- prefect flow-run execute")
def flow_pod(command: Annotated[list[str], typer.Argument(help="What to run.", show_default=False)]) -> None:
    """Run a command as a pod's first process, and pass SIGTERM on to the flow run's engine."""
    from windtunnel.engines.prefect.flow_pod import supervise

    raise typer.Exit(supervise(command))

"""The Prefect flows: one for each strategy, and the one that cleans up after crashed runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from windtunnel.content import sample
from windtunnel.engines.prefect import quiet_settings

quiet_settings()

from prefect import Flow, flow  # noqa: E402 - its settings first
from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.logging import get_run_logger  # noqa: E402

from windtunnel.backends import BACKENDS, make_backend  # noqa: E402
from windtunnel.backends.reap import reap_all  # noqa: E402
from windtunnel.engines.prefect.flow_job import refuse_losses  # noqa: E402
from windtunnel.engines.prefect.flow_pod import FLOW_POD  # noqa: E402
from windtunnel.engines.prefect.flow_run import run_in_flow  # noqa: E402
from windtunnel.engines.prefect.outcome_state import refusal  # noqa: E402
from windtunnel.engines.prefect.parameters import refuse_secrets  # noqa: E402
from windtunnel.engines.prefect.sources import Source, check_strategy, form, resolve  # noqa: E402
from windtunnel.engines.request import make_request  # noqa: E402
from windtunnel.errors import WindtunnelError  # noqa: E402
from windtunnel.strategies import STRATEGIES, make_plan  # noqa: E402

# The form offers what the table has; type checkers want a Literal's choices written out.
if TYPE_CHECKING:
    BackendName = str
else:
    BackendName = Literal[tuple(BACKENDS)]


def strategy_flow(strategy: str) -> Flow[..., State[Any]]:
    """Return the flow that runs any benchmark of one strategy; unless told otherwise, its sample."""
    default = form(sample(strategy))

    def run_benchmark(  # noqa: PLR0913, PLR0917 - a parameter is a field of the form
        benchmark: Source = default,
        backend: BackendName = "process",
        repeats: Annotated[int, Field(ge=1)] | None = None,
        overrides: tuple[str, ...] = (),
        store: str | None = None,
        strict: bool = False,  # noqa: FBT001, FBT002 - a form's field is a keyword
    ) -> State[Any]:
        """Start what the benchmark needs, measure, and take everything down again.

        Args:
            benchmark: What to measure.
            backend: Where its steps run; recording only pretends.
            repeats: Iterations to keep, instead of the benchmark's.
            overrides: Other keys to change, such as run.warmup=2 or server.env.LANG=C.
            store: Where runs are kept, as the worker sees it, instead of the benchmark's.
            strict: Whether a suspect result is a failure.
        """
        changes = [*overrides, *([f"run.repeats={repeats}"] if repeats else [])]
        try:
            refuse_secrets()
            loaded = resolve(benchmark, changes)
            check_strategy(loaded, strategy)
            plan = make_plan(loaded.benchmark)
            request = make_request(loaded, plan, make_backend(backend), store)
            refuse_losses(request)
            return run_in_flow(replace(request, strict=strict), report=True)
        except WindtunnelError as error:
            get_run_logger().error("%s", error.message)
            return refusal(error)

    # Prefect's own messages about a wrong parameter would repeat it, and with it what is secret there.
    return Flow(run_benchmark, name=strategy, persist_result=True, validate_parameters=False)


@flow(name="reap", flow_run_name="reap")
def reap(store: str = "runs", cause: str | None = None) -> dict[str, list[str]]:
    """End what runs left behind on the machine of this flow's worker, or in the namespace of its pod.

    Args:
        store: Folder that keeps runs.
        cause: Why it is done now, for the log.
    """
    logger = get_run_logger()
    if cause:
        logger.info("because of %s", cause)
    reaped = reap_all(Path(store))
    found = [*reaped.found, *_end_unstarted()]
    for name in found:
        logger.warning("ended %s", name)
    for name in reaped.left:
        logger.error("still there: %s", name)
    for words in reaped.unknown:
        logger.warning("not known: %s", words)
    if not found and not reaped.unknown:
        logger.info("nothing was left behind")
    if reaped.left:
        raise RuntimeError(f"{len(reaped.left)} left behind: {', '.join(reaped.left)}")
    return {"found": found, "left": reaped.left}


def _end_unstarted() -> list[str]:
    """End the Jobs of flow runs that are over and never began, if this is in a pod; return their names."""
    if FLOW_POD not in os.environ:
        return []
    from windtunnel.backends.kubernetes.api import connect
    from windtunnel.engines.prefect.unstarted_jobs import end_unstarted

    with get_client(sync_client=True) as client:
        return end_unstarted(client, connect())


FLOWS = {name: strategy_flow(name) for name in STRATEGIES}
"""The flow of each strategy, by the strategy's name."""


def __getattr__(name: str) -> Flow[..., State[Any]]:
    """Return the flow of a strategy by what Python and entrypoints call it, such as ``client_server``."""
    found = next((FLOWS[strategy] for strategy, row in STRATEGIES.items() if row.module == name), None)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found

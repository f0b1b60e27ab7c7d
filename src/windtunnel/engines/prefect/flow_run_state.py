"""The state that the server has this flow run in, read and set right: the server may have been away for a time.

Prefect's own worker tells a flow of its cancellation, and gives that up for good when the server
is away for half a minute; and a server that comes back takes a run for dead that it did not hear of.
Who writes which state when: ADR 20.
"""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Running

from windtunnel.engines.prefect.own_pod import why_it_goes
from windtunnel.run.control import POLL_SECONDS, Control

PATIENCE_SECONDS = 10.0
"""How long the worker has to tell of a cancellation before it is read here."""
ANSWER_SECONDS = 5.0
"""How long the server has to connect, and again to answer, while a run that is told to end waits for it."""
AWAY_SECONDS = 900.0
"""How long a run that is over waits for a server that is away: its outcome is worth that."""
_RETRY_SECONDS = 2.0


class FlowRunState:
    """Reads the state that the server has a flow run in, and sets right what an absence of the server has set wrong.

    Args:
        flow_run: The flow run's id.
        control: Cancelled when somebody cancels the flow run and no signal comes.
        logger: The flow run's.
    """

    def __init__(self, flow_run: UUID, control: Control, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._id, self._control, self._logger = flow_run, control, logger
        self._cancelling_since: float | None = None
        self._was_crashed = False

    def look(self) -> None:
        """Heed a cancellation; say that the run lives if it is taken for dead, and was when this was called before."""
        kind = self._read()
        was_crashed, self._was_crashed = self._was_crashed, kind is StateType.CRASHED
        if kind is StateType.CANCELLING:
            self._cancelling_since = self._cancelling_since or time.monotonic()
            is_late = time.monotonic() - self._cancelling_since > PATIENCE_SECONDS
            if is_late and not self._control.is_cancelled:
                self._control.cancel("cancelled in Prefect")
        # A run that stood still for long finds meanwhile that it is over.
        elif was_crashed and self._was_crashed and self._goes_on():
            self._logger.warning("taken for dead while the server was away; it goes on")
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(self._id, Running(message="the server was away, the run was not"), force=True)

    def _goes_on(self) -> bool:
        """Tell whether this process is there to stay: where its Job was deleted, Prefect's worker is right.

        What the run comes to is told at its end all the same: a final state may follow another.
        """
        if self._control.failure or self._control.is_cancelled:
            return False
        try:
            return why_it_goes() is None
        except Exception as error:  # noqa: BLE001 - what cannot be known is not claimed; it is asked again
            self._logger.warning("the cluster does not say whether this pod stays: %s", type(error).__name__)
            return False

    def is_cancelled(self) -> bool:
        """Ask the server whether somebody cancelled the flow run; False as well if it does not say so, soon."""
        settings = {"timeout": ANSWER_SECONDS}
        try:
            with (
                temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
                get_client(sync_client=True, httpx_settings=settings) as client,
            ):
                state = client.read_flow_run(self._id).state
        except Exception as error:  # noqa: BLE001 - the server's troubles are not the run's
            self._logger.warning("the server does not say whether this run is cancelled: %s", type(error).__name__)
            return False
        return state is not None and state.type in {StateType.CANCELLING, StateType.CANCELLED}

    def until_server(self, seconds: float) -> bool:
        """Wait until the server answers, at most so long, or until somebody cancels; return whether it does."""
        deadline = time.monotonic() + seconds
        is_told = False
        while True:
            # The flow's own client would try again for a minute before it says that nobody answers.
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
                if not client.api_healthcheck():
                    return True
            if time.monotonic() > deadline or self._control.is_cancelled:
                return False
            if not is_told:
                self._logger.warning("the run is over; its server is away and is waited for, until Ctrl-C")
                is_told = True
            again = time.monotonic() + _RETRY_SECONDS
            while time.monotonic() < again and not self._control.is_cancelled:
                time.sleep(POLL_SECONDS)

    def settle(self, state: State[Any]) -> State[Any]:
        """Return the state to end in: of a run that is being cancelled, the server takes no other than Cancelled."""
        if state.type is StateType.CANCELLED or self._read() is not StateType.CANCELLING:
            return state
        message = f"cancelled when it was over; {state.message}"
        return State(type=StateType.CANCELLED, name="Cancelled", message=message)

    def _read(self) -> StateType | None:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self._id).state
        return state.type if state else None

"""Whether the configured Prefect server answers."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings

from windtunnel.errors import PlatformError


def check_server() -> str | None:
    """Return the address of the configured server, or None where there is none.

    Raises:
        PlatformError: It does not answer.
    """
    url = get_current_settings().api.url
    if url:
        with get_client(sync_client=True) as client:
            if problem := client.api_healthcheck():
                message = (
                    f"the Prefect server at {url} does not answer: {problem}; is it up?"
                    " (`prefect server start`, or set another with PREFECT_API_URL)"
                )
                raise PlatformError(message, code="prefect_unreachable")
    return url

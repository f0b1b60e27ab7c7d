"""Whether the configured Prefect server answers, and lets us in."""

from __future__ import annotations

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from windtunnel.errors import PlatformError
from windtunnel.secrets import Redaction


def check_server() -> str | None:
    """Return the address of the configured server, without a password, or None where there is none.

    Raises:
        PlatformError: It does not answer, it does not let us in, or it is of another version.
    """
    url = get_current_settings().api.url
    if not url:
        return None
    shown = Redaction().text(url)
    with get_client(sync_client=True) as client:
        if problem := client.api_healthcheck():
            raise PlatformError(
                f"the Prefect server at {shown} does not answer: {Redaction().text(str(problem))}; is it up?"
                " (`prefect server start`, or set another with PREFECT_API_URL)",
                code="prefect_unreachable",
            )
        # Anybody may ask for its health; what comes next needs rights.
        if refusal := _refused(client):
            raise PlatformError(f"the Prefect server at {shown} {refusal}", code="prefect_refused")
    return shown


def _refused(client: SyncPrefectClient) -> str | None:
    """Return why a server that answers cannot be worked with, if so."""
    try:
        client.raise_for_api_version_mismatch()
    except PrefectHTTPStatusError as error:
        if error.response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return (
                "does not let us in: set PREFECT_API_AUTH_STRING to what its PREFECT_SERVER_API_AUTH_STRING is"
                " (USER:PASSWORD), or PREFECT_API_KEY for Prefect Cloud"
            )
        return f"answers {error.response.status_code}"
    except RuntimeError as error:
        return f"cannot be used: {Redaction().text(str(error))}; does its address end in /api?"
    return None

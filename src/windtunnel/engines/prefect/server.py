"""The configured Prefect server: whether it answers and lets us in, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from windtunnel.errors import PlatformError, UsageError
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
                f"the Prefect server at {shown} {_no_answer(problem)}"
                " (`prefect server start`, or set another with PREFECT_API_URL)",
                code="prefect_unreachable",
            )
        # Anybody may ask for its health; what comes next needs rights.
        if refusal := _refused(client):
            raise PlatformError(f"the Prefect server at {shown} {refusal}", code="prefect_refused")
    return shown


@contextmanager
def prefect_server() -> Iterator[SyncPrefectClient]:
    """Yield a client of the configured server.

    Raises:
        UsageError: No server is configured; a temporary one keeps no deployments.
        PlatformError: It does not answer, or it refuses what it is asked.
    """
    url = check_server()
    if not url:
        raise UsageError(
            "no Prefect server is configured; start one with `prefect server start`, and set"
            " PREFECT_API_URL=http://127.0.0.1:4200/api (or `prefect config set PREFECT_API_URL=…`)"
        )
    with get_client(sync_client=True) as client:
        try:
            yield client
        except (PrefectHTTPStatusError, httpx.HTTPError) as error:
            told = Redaction().text(str(error))
            raise PlatformError(f"the Prefect server at {url}: {told}", code="prefect_refused") from None


def _no_answer(problem: Exception) -> str:
    if isinstance(problem, httpx.HTTPStatusError):
        return f"answers {problem.response.status_code} when it is asked for its health; does its address end in /api?"
    return f"does not answer: {Redaction().text(str(problem))}; is it up?"


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

"""The address of Prefect's API as pods see it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from prefect.settings import get_current_settings

from windtunnel.engines.prefect.job_template import API_SECRET
from windtunnel.errors import UsageError

_OPTION = "--api-url-for-pods"
_EXAMPLE = "http://prefect-server:4200/api"


def address_for_pods(given: str | None) -> str:
    """Return the address that is given, else that of the configured server (UsageError if pods can use none)."""
    url = given or get_current_settings().api.url or ""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{_OPTION}: give the address of Prefect's API as pods see it, such as {_EXAMPLE}")
    if parts.password or parts.username:
        raise UsageError(f"{_OPTION}: a password would stand in each Job; give it in the Secret {API_SECRET}")
    if _is_loopback(parts.hostname):
        raise UsageError(
            f"{_OPTION}: {parts.hostname} is a pod's own address there; give the one by which pods reach Prefect's API,"
            f" such as {_EXAMPLE}"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified

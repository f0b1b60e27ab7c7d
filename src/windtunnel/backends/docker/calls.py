"""The SDK's client, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from docker import APIClient
from docker.errors import APIError, DockerException, TLSParameterError
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from windtunnel.backends.docker.warden import DaemonError
from windtunnel.backends.docker.warden_client import DAEMON_LOST
from windtunnel.errors import PlatformError

CALL_SECONDS = 120
POOL_SIZE = 64
"""Connections that are kept: threads of many steps ask side by side."""

__all__ = ["APIClient", "APIError", "TLSConfig", "daemon_words", "is_missing", "make_client"]


def make_client() -> APIClient:
    """Return a client of the daemon that the environment names, in the daemon's own API version.

    Raises:
        PlatformError: It does not answer, or Docker's own configuration cannot be read (``docker_config``).
    """
    with daemon_words("reaching Docker"):
        try:
            return APIClient(version="auto", timeout=CALL_SECONDS, max_pool_size=POOL_SIZE, **kwargs_from_env())
        except (TLSParameterError, AttributeError, KeyError, TypeError, ValueError) as error:
            # The SDK takes what it reads for what it expects, and fails in many ways where it is not.
            message = f"Docker's config.json or DOCKER_CERT_PATH cannot be used: {type(error).__name__}: {error}"
            raise PlatformError(message, code="docker_config") from None


@contextmanager
def daemon_words(what: str, code: str = "docker_refused", step: str | None = None) -> Iterator[None]:
    """Turn what the daemon, or its absence, raises into a PlatformError.

    Args:
        what: What was asked for, as it stands in the message.
        code: The error's code if the daemon refused.
        step: The step that it was asked for.
    """
    begin = f"{step}: {what}" if step else what
    try:
        yield
    except APIError as error:
        raise PlatformError(f"{begin}: {error.explanation or error}", code=code, step=step) from None
    except DaemonError as error:
        raise PlatformError(f"{begin}: {error}", code=code, step=step) from None
    except (DockerException, OSError) as error:
        raise PlatformError(f"{begin}: the daemon does not answer: {error}", code=DAEMON_LOST, step=step) from None


def is_missing(error: APIError) -> bool:
    """Tell whether the daemon said that there is no such thing."""
    return error.response is not None and error.response.status_code == 404  # noqa: PLR2004 - HTTP's own

"""Pulls of images: by Docker's own SDK, which knows the user's credentials and the programs that keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from docker import APIClient
from docker.errors import APIError, DockerException, TLSParameterError
from docker.utils import kwargs_from_env, parse_repository_tag

from windtunnel.backends.docker.config import unusable
from windtunnel.backends.docker.warden_client import DAEMON_LOST
from windtunnel.errors import PlatformError

SILENT_SECONDS = 120


def pull(name: str, step: str) -> None:
    """Pull the image of a step.

    Raises:
        PlatformError: It cannot be had (``image_pull``), in the daemon's words or those of a program for credentials;
            or as `make_client` raises.
    """
    repository, tag = parse_repository_tag(name)
    what = f"{step}: image {name!r} is not here and cannot be pulled"
    with closing(make_client()) as client, _in_our_words(what, step):
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if problem := line.get("error"):
                raise PlatformError(f"{what}: {problem}", code="image_pull", step=step)


def make_client() -> APIClient:
    """Return a client of the daemon that the environment names, in the daemon's own API version.

    Raises:
        PlatformError: It does not answer, or Docker's own configuration cannot be read (``docker_config``).
    """
    try:
        return APIClient(version="auto", timeout=SILENT_SECONDS, **kwargs_from_env())
    except (TLSParameterError, AttributeError, KeyError, TypeError, ValueError) as error:
        # The SDK takes what it reads for what it expects, and fails in many ways where it is not.
        raise unusable(error) from None
    except (DockerException, OSError) as error:
        raise PlatformError(f"reaching Docker: the daemon does not answer: {error}", code=DAEMON_LOST) from None


@contextmanager
def _in_our_words(what: str, step: str) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        raise PlatformError(f"{what}: {error.explanation or error}", code="image_pull", step=step) from None
    except DockerException as error:
        # A program for credentials that fails: the daemon was not even asked.
        raise PlatformError(f"{what}: {error}", code="image_pull", step=step) from None
    except OSError as error:
        raise PlatformError(f"{what}: the daemon does not answer: {error}", code=DAEMON_LOST, step=step) from None

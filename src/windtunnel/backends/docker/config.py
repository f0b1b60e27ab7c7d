"""What the user's own configuration of Docker says about containers: their proxies."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from windtunnel.errors import PlatformError

_PROXIES = {"httpProxy": "http_proxy", "httpsProxy": "https_proxy", "ftpProxy": "ftp_proxy", "noProxy": "no_proxy"}


def proxy_variables(host: str) -> Mapping[str, str]:
    """Return the variables that Docker's clients give to each container (Docker, *Configure the Docker client*).

    Args:
        host: What the daemon is called: it may have proxies of its own.

    Raises:
        PlatformError: The configuration cannot be used (``docker_config``).
    """
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
        proxies = config.get("proxies") or {}
        chosen = proxies.get(host) or proxies.get("default") or {}
        known = {name: chosen.get(key) for key, name in _PROXIES.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise unusable(error) from None
    lower = {name: str(value) for name, value in known.items() if value}
    return lower | {name.upper(): value for name, value in lower.items()}


def unusable(error: Exception) -> PlatformError:
    """Return the error of a configuration that is not as Docker documents it."""
    message = f"Docker's config.json or DOCKER_CERT_PATH cannot be used: {type(error).__name__}: {error}"
    return PlatformError(message, code="docker_config")

"""Secrets do not belong into a run's folder: the values of variables whose name says that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from windtunnel.secrets import is_secret

REDACTED = "[redacted]"
_DISTINCT_LENGTH = 6
"""A shorter value is also a word or a number of its own: it is redacted only where it is assigned."""
_TOML_VALUE = r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[^\s,}\]#]+'
_TOML_ASSIGNMENT = re.compile(rf"""(?P<name>["']?[\w-]+["']?)(?P<equals>\s*=\s*)(?:{_TOML_VALUE})""")
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def redact_urls(text: str) -> str:
    """Return `text` without the user names and passwords that stand in addresses."""
    return _URL_CREDENTIALS.sub(REDACTED, text)


def secrets_in(env: Mapping[str, str]) -> set[str]:
    """Return the values of the variables whose name says that they are secret."""
    return {value for name, value in env.items() if value and is_secret(name)}


def redact(text: str, secrets: set[str]) -> str:
    """Return `text` without the secret values, the longest replaced first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def _distinct(secrets: set[str]) -> set[str]:
    return {secret for secret in secrets if len(secret) >= _DISTINCT_LENGTH}


def redact_data(data: Any, secrets: set[str]) -> Any:
    """Return JSON data with secret variables' values replaced, and distinct secrets in any text."""
    if isinstance(data, dict):
        hides = {key for key, value in data.items() if is_secret(key) and isinstance(value, str) and value in secrets}
        return {key: REDACTED if key in hides else redact_data(value, secrets) for key, value in data.items()}
    if isinstance(data, list):
        return [redact_data(item, secrets) for item in data]
    return redact(data, _distinct(secrets)) if isinstance(data, str) else data


def redact_toml(text: str, env_names: set[str], secrets: set[str]) -> str:
    """Return a TOML text without what it assigns to secret variables, however it is spelt there.

    Args:
        text: The file.
        env_names: The variables that its env tables set.
        secrets: Their secret values, which are replaced elsewhere too.
    """

    def hide(match: re.Match[str]) -> str:
        name = match["name"].strip("\"'")
        return f'{match["name"]}{match["equals"]}"{REDACTED}"' if name in env_names and is_secret(name) else match[0]

    return redact(_TOML_ASSIGNMENT.sub(hide, text), {secret for secret in secrets if len(secret) >= _DISTINCT_LENGTH})


def redact_override(override: str, secrets: set[str]) -> str:
    """Return a ``--set`` argument without a secret value."""
    key, separator, _value = override.partition("=")
    if is_secret(key.rpartition(".")[2]):
        return f"{key}{separator}{REDACTED}"
    return redact(override, _distinct(secrets))

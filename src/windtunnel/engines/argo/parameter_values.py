"""What the value of a workflow's parameter means: the text itself, or an object of the cluster that has it."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from typing import Any

from windtunnel.addresses import is_object_name
from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused, connect
from windtunnel.errors import UsageError
from windtunnel.secrets import Redaction

FILE, SET = "benchmark.toml", "set"
"""The keys under which a ConfigMap or a Secret has a benchmark, and what is changed in it."""
CONFIG_MAP, SECRET = "configmap/", "secret/"
"""How a parameter begins that names a ConfigMap, or a Secret."""
_KINDS = {CONFIG_MAP: "ConfigMap", SECRET: "Secret"}
_FLAGS = {"true": True, "false": False, "": False}
_SOON_SECONDS = 5.0
"""How long after a workflow the object may come that belongs to it; `submit` makes it at once."""
_LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class ParameterText:
    """The text that a parameter's value means.

    Attributes:
        text: The text.
        is_hidden: Whether a Secret holds the text.
    """

    text: str
    is_hidden: bool = False


def benchmark_of(given: str, cluster: Cluster | None = None) -> ParameterText:
    """Return the TOML that a parameter means.

    Args:
        given: TOML, base64 of TOML, ``configmap/NAME`` or ``secret/NAME``.
        cluster: The cluster and namespace of the object; else this pod's own.

    Raises:
        UsageError: There is no such object, or it has no benchmark.
    """
    if found := _from_object("benchmark", given, FILE, cluster):
        return found
    try:
        return ParameterText(decoded("".join(given.split())))
    except (binascii.Error, ValueError):
        return ParameterText(given)


def overrides_of(given: str, cluster: Cluster | None = None) -> ParameterText:
    """Return the lines that a parameter means: they themselves, ``configmap/NAME`` or ``secret/NAME`` (UsageError)."""
    return _from_object("set", given, SET, cluster) or ParameterText(given)


def check_hidden(benchmark: ParameterText, overrides: ParameterText, redaction: Redaction) -> None:
    """Refuse secrets that are not in a Secret (UsageError); their values are not repeated."""
    why = "it has secrets, which all who may look at workflows read until this one is deleted: put"
    if not benchmark.is_hidden and has_secrets(benchmark.text, redaction):
        raise UsageError(
            f"benchmark: {why} the file into a Secret, `kubectl create secret generic NAME --from-file={FILE}`,"
            f" and give benchmark={SECRET}NAME"
        )
    if not overrides.is_hidden and any(redaction.override(line) != line for line in overrides.text.splitlines()):
        raise UsageError(
            f"set: {why} the lines into a Secret, `kubectl create secret generic NAME --from-file={SET}=FILE`,"
            f" and give set={SECRET}NAME"
        )


def has_secrets(text: str, redaction: Redaction) -> bool:
    """Tell whether a benchmark's text has secrets, in what is commented out too."""
    return redaction.toml(text) != text.replace("\r\n", "\n")


def flag_of(parameter: str, given: str) -> bool:
    """Return what ``true`` or ``false`` means; nothing is false (UsageError)."""
    value = _FLAGS.get(given.strip().lower())
    if value is None:
        raise UsageError(f"{parameter}: {given!r} is neither true nor false")
    return value


def decoded(text: str) -> str:
    """Return what was encoded as base64 (ValueError)."""
    return base64.b64decode(text, validate=True).decode()


def _from_object(parameter: str, given: str, key: str, cluster: Cluster | None) -> ParameterText | None:
    begin = next((each for each in _KINDS if given.startswith(each)), None)
    if begin is None:
        return None
    data = read_object(parameter, given, cluster)
    if key not in data:
        has = ", ".join(sorted(data)) or "none"
        raise UsageError(f"{parameter}: {given.strip()} has no key {key} (it has: {has})")
    return ParameterText(data[key].decode(), begin == SECRET)


def read_object(parameter: str, given: str, cluster: Cluster | None = None) -> dict[str, bytes]:
    """Return what an object holds that a parameter names, by keys.

    Args:
        parameter: The parameter, for messages.
        given: ``configmap/NAME`` or ``secret/NAME``.
        cluster: The cluster and namespace of the object; else this pod's own.

    Raises:
        UsageError: It names none, or there is none.
    """
    named = given.strip()
    begin = next((each for each in _KINDS if named.startswith(each)), "")
    kind, name = _KINDS.get(begin, "ConfigMap"), named.removeprefix(begin)
    # It becomes a part of the API's path: with a slash in it, it could be any object, and a Secret that is none here.
    if not begin or not is_object_name(name):
        raise UsageError(
            f"{parameter}: {named!r} names no {kind}; write it like {begin or CONFIG_MAP}NAME, of this namespace"
        )
    try:
        found = _read(cluster or connect(), kind, name)
    except Refused as error:
        raise UsageError(f"{parameter}: {named}: {error.message}") from None
    texts, encoded = found.get("data") or {}, found.get("binaryData") or {}
    if kind == "Secret":
        texts, encoded = {}, texts
    return {key: text.encode() for key, text in texts.items()} | {
        key: base64.b64decode(text) for key, text in encoded.items()
    }


def _read(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    """Return an object, once it is there (Refused)."""
    deadline = time.monotonic() + _SOON_SECONDS
    while True:
        try:
            return dict(cluster.call("GET", cluster.path(kind, name)))
        except Refused as error:
            if error.status != NOT_FOUND or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)

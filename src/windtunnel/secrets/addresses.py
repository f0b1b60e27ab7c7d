"""Secrets in addresses: a user's password, and what makes a signed address valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from windtunnel.secrets.names import is_plainly_secret, is_secret, words

Span = tuple[int, int]
"""Where a secret begins and ends in a text."""

_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,30})://(?P<user>[^\s/?#\"'<>]*)@")
_GO_ADDRESS = re.compile(r"@(?:tcp[46]?|udp|unix|cloudsql(?:-\w+)?)\(")
"""What follows the password in the addresses of Go's drivers, such as ``root:pw@tcp(host:3306)/db``."""
_GO_LONGEST = 512
_PARAMETER = re.compile(r"(?<=[?&;])(?P<name>[A-Za-z][\w.%-]{0,63})=(?P<value>[^&\s\"'<>#;\\]+)")
_SIGNED_UNTIL = re.compile(r"[?&]se=")
"""Azure's shared access signatures have an end."""
_LONG = 16
"""A key, a signature or a token has as many characters; what is shorter is somebody's word."""


def find_in_addresses(text: str) -> Iterator[Span]:
    """Yield where secrets stand in the addresses of a text, in time that grows with its length."""
    for match in _ADDRESS.finditer(text):
        yield from _in_user(match)
    for match in _GO_ADDRESS.finditer(text):
        yield from _before(text, match.start())
    for match in _PARAMETER.finditer(text):
        if is_secret_parameter(match["name"], match["value"]) or _is_shared_access(text, match):
            yield match.span("value")


def is_reference(value: str) -> bool:
    """Tell whether a value only names what is put in its place later, such as ``$PASSWORD``."""
    return value.startswith(("$", "%(", "{{", "<"))


def is_key_file(name: str, value: str) -> bool:
    """Tell whether a value is the path of a key's file, and so no secret itself."""
    return value.startswith(("/", "./", "../", "~/")) and words(name)[-1:] in (["key"], ["keys"])


def is_secret_parameter(name: str, value: str) -> bool:
    """Tell whether a parameter of an address, or an option, is a secret."""
    if is_reference(unquote(value)) or is_key_file(name, value):
        return False
    *before, last = words(name) or [""]
    if last in {"sig", "signature", "hmac"}:
        return bool(before) or len(value) >= _LONG
    if last in {"key", "keys"} and not is_plainly_secret(name):
        return is_secret(name) and len(value) >= _LONG
    return is_secret(name)


def _in_user(match: re.Match[str]) -> Iterator[Span]:
    start, end = match.span("user")
    name, colon, password = match["user"].partition(":")
    if colon and password and not is_reference(password):
        yield start + len(name) + 1, end
    # A long name without a password is a token, which lets somebody in by itself.
    is_http = match["scheme"].lower().endswith(("http", "https"))
    if is_http and password in {"", "x-oauth-basic"} and len(name) >= _LONG and not is_reference(name):
        yield start, start + len(name)


def _before(text: str, end: int) -> Iterator[Span]:
    word = re.split(r"[\s\"'=/]", text[max(0, end - _GO_LONGEST) : end])[-1]
    name, colon, password = word.partition(":")
    if colon and name and password and not is_reference(password):
        yield end - len(password), end


def _is_shared_access(text: str, match: re.Match[str]) -> bool:
    if match["name"] != "sig":
        return False
    start = text.rfind("?", max(0, match.start() - 2048), match.start())
    return start >= 0 and bool(_SIGNED_UNTIL.search(text, start, match.end() + 256))

"""Probes that no packet from here can reach: asked by a program in the container, which the image has to have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from windtunnel.backends.base import Address
from windtunnel.backends.network_probe import Answer, answer_status, request_target

_STATUS_LINE = re.compile(r"HTTP/\S+ (\d{3})\b")
_REQUEST = r"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: windtunnel-probe\r\nConnection: close\r\n\r\n"
_BASH_CONNECT = 'exec 3<>"/dev/tcp/$0/$1"'
_PYTHON_CONNECT = """
import http.client, sys
peer = http.client.HTTPConnection(*sys.argv[1:3])
try:
    peer.connect()
except OSError as error:
    sys.exit(error.strerror)
"""
_PYTHON_GET = """
peer.request("GET", sys.argv[3], headers={"Connection": "close", "User-Agent": "windtunnel-probe"})
print("HTTP/1.1", peer.getresponse().status)
"""


@dataclass(frozen=True)
class _Asker:
    """A program that can ask: how it is started, its script for tcp, and that for http."""

    start: tuple[str, ...]
    connect: str
    get: str


_ASKERS = {
    "bash": _Asker(
        ("bash", "-c"),
        _BASH_CONNECT,
        f'{_BASH_CONNECT} && printf \'{_REQUEST}\' "$2" "$0:$1" >&3 && IFS= read -r line <&3; echo "$line"',
    ),
    "nc": _Asker(
        ("sh", "-c"),
        'nc -z "$0" "$1"',
        f'nc -z "$0" "$1" && printf \'{_REQUEST}\' "$2" "$0:$1" | nc "$0" "$1" | head -n 1',
    ),
    "python3": _Asker(("python3", "-Sc"), _PYTHON_CONNECT, _PYTHON_CONNECT + _PYTHON_GET),
}
ASKERS = tuple(_ASKERS)
"""What can ask; the first one that an image has is taken."""


def ask_inside(
    kind: str, address: Address, target: str, program: str, run_command: Callable[[tuple[str, ...]], Answer]
) -> Answer:
    """Ask once.

    Args:
        kind: ``http`` or ``tcp``.
        address: Where, on the run's network.
        target: The path, of an http probe.
        program: One of `ASKERS`.
        run_command: Runs a command in the container.
    """
    asker = _ASKERS[program]
    place = (address.host, str(address.port))
    if kind == "tcp":
        answer = run_command((*asker.start, asker.connect, *place))
        return replace(answer, detail="connected") if answer.ok else _in_our_words(answer)
    answer = run_command((*asker.start, asker.get, *place, request_target(target)))
    found = _STATUS_LINE.search(answer.detail)
    return answer_status(int(found[1])) if found else replace(_in_our_words(answer), ok=False)


def _in_our_words(answer: Answer) -> Answer:
    # nc says nothing at all.
    is_refused = "refused" in answer.detail.lower() or answer.detail == "exited with status 1"
    return replace(answer, detail="connection refused") if is_refused else answer

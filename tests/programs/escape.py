"""Tries to get out of where it runs, and prints what came of each way: ``yes``, or the error's name.

``TARGETS`` in the environment is JSON: name to [host, port] of servers that answer a connection, or a
datagram, with some bytes. ``INPUT`` is the path of an input.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

SECONDS = 2.0
CLONE_NEWUSER = 0x1000_0000
AF_VSOCK, HYPERVISOR = 40, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def connect(host: str, port: int) -> None:
    """Be answered by a server."""
    with socket.create_connection((host, port), SECONDS) as peer:
        assert peer.recv(1)


def connect_from_the_interface(host: str, port: int) -> None:
    """The same, whatever the table of routes says."""
    with socket.socket() as peer:
        peer.settimeout(SECONDS)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        peer.connect((host, port))
        assert peer.recv(1)


def exchange(host: str, port: int) -> None:
    """Be answered to a datagram."""
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.settimeout(SECONDS)
        peer.sendto(b"?", (host, port))
        assert peer.recv(1)


def call_hypervisor() -> None:
    """Make a socket to it."""
    socket.socket(AF_VSOCK, socket.SOCK_STREAM).close()


def resolve(name: str) -> None:
    """Ask for a name that the run does not have."""
    socket.getaddrinfo(name, 80)


def write(path: str) -> None:
    """Write to a file, whatever its mode says."""
    if Path(path).exists():
        Path(path).chmod(0o666)
    with Path(path).open("a") as file:
        file.write("x")


def check(status: int) -> None:
    """Raise the error of a call of the C library."""
    if status < 0:
        raise OSError(ctypes.get_errno(), "failed")


def gateway() -> str:
    """Return where packets for elsewhere go; an address without meaning if nowhere."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000":
            return socket.inet_ntoa(int(fields[2], 16).to_bytes(4, sys.byteorder))
    return "192.0.2.254"


def attempts() -> dict[str, Callable[[], object]]:
    """Return every way by its name."""
    targets: dict[str, tuple[str, int]] = json.loads(os.environ["TARGETS"])
    found: dict[str, Callable[[], object]] = {}
    if "host" in targets:
        targets["gateway"] = (gateway(), targets["host"][1])
    for name, (host, port) in targets.items():
        found[f"connect {name}"] = lambda h=host, p=port: connect(h, p)  # type: ignore[misc]
        if name in {"host", "gateway"}:
            found[f"bind, connect {name}"] = lambda h=host, p=port: connect_from_the_interface(h, p)  # type: ignore[misc]
            found[f"datagram {name}"] = lambda h=host, p=port: exchange(h, p)  # type: ignore[misc]
    return found | {
        "resolve": lambda: resolve("outside.example"),
        "vsock": call_hypervisor,
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close(),
        "mount": lambda: check(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
        "new user namespace": lambda: check(LIBC.unshare(CLONE_NEWUSER)),
        "other user": lambda: os.setegid(12_345),
        "give away": lambda: os.chown(os.environ["WINDTUNNEL_WORK"], 12_345, 12_345),
        "input": lambda: write(os.environ["INPUT"]),
        "input, by its place": lambda: write(os.path.realpath(os.environ["INPUT"])),
        "new input": lambda: write(f"{Path(os.environ['INPUT']).resolve().parent}/more"),
        "/etc": lambda: write("/etc/escaped"),
        "/": lambda: write("/escaped"),
        "kernel": lambda: write("/proc/sys/kernel/hostname"),
        "work": lambda: write("own"),
        "out": lambda: write(f"{os.environ['WINDTUNNEL_OUT']}/own"),
        "tmp": lambda: write("/tmp/own"),
    }


def outcome(attempt: Callable[[], object]) -> str:
    """Return what came of a way."""
    try:
        attempt()
    except TimeoutError:
        return "ETIMEDOUT"
    except socket.gaierror:
        return "unknown"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "yes"


for name, attempt in attempts().items():
    print(json.dumps({name: outcome(attempt)}), flush=True)
print("rate=1", flush=True)

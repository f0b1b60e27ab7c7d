"""The hub: who may use which path, and how a bug of its own is told from a peer's."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from windtunnel.backends.agent import collector, hub, places
from windtunnel.backends.agent.places import TOKEN_HEADER, token_for

KEY = b"key"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[hub.Hub]:
    """A hub at a free port, with one input."""
    monkeypatch.setattr(hub, "PORT", 0)
    monkeypatch.setattr(places, "HUB", tmp_path)
    found = hub.Hub(KEY)
    places.input_file("0").write_text("input")
    yield found
    found.shutdown()
    found.server_close()
    found.thread.join()


def ask(served: hub.Hub, path: str, token: bytes) -> int:
    """Return the status with which the hub answers, 0 if it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", served.server_address[1], timeout=10)
    try:
        connection.putrequest("GET", path)
        connection.putheader(TOKEN_HEADER, token)
        connection.endheaders()
        return connection.getresponse().status
    except http.client.RemoteDisconnected:
        return 0
    finally:
        connection.close()


def test_a_path_has_a_token_of_its_own(served: hub.Hub) -> None:
    """Another path's token, none, and one that is no token at all are refused alike, as what is not there is."""
    own, other = (token_for(KEY, f"/inputs/{name}").encode() for name in "01")

    assert ask(served, "/inputs/0", own) == 200
    assert [ask(served, "/inputs/0", token) for token in (other, b"", b"\xe9")] == [404] * 3
    assert ask(served, "/inputs/1", other) == 404
    served.check()


def test_members_begin_when_the_hub_has_the_word(served: hub.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of what may be there, and nothing that is not, makes them begin."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            places.input_file("start").write_bytes(b"")

    monkeypatch.setattr(collector, "time", Mock(sleep=wait))
    url = f"http://127.0.0.1:{served.server_address[1]}/inputs/start"
    collector.get("start", "", url, token_for(KEY, "/inputs/start"))

    assert len(waits) == 3
    served.check()


def test_a_bug_of_the_hubs_is_told(served: hub.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warden raises it, and the run ends with exit 70."""

    def broken(_files: hub.Files) -> bool:
        raise KeyError("a bug")

    monkeypatch.setattr(hub.Files, "is_allowed", broken)
    assert ask(served, "/inputs/0", b"") == 0

    with pytest.raises(KeyError, match="a bug"):
        served.check()


def test_a_peer_that_breaks_off_is_no_bug(served: hub.Hub) -> None:
    """It tries again; the run goes on."""
    path = "/results/pod"
    with contextlib.closing(socket.create_connection(("127.0.0.1", served.server_address[1]))) as peer:
        head = f"PUT {path} HTTP/1.1\r\n{TOKEN_HEADER}: {token_for(KEY, path)}\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head.encode() + b"5\r\nabc")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1000) == b""

    served.check()
    assert not places.result_file("pod").exists()

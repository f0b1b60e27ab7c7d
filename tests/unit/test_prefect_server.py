"""A Prefect server that answers and cannot be worked with: it is told in words, without a password."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.needs import package

package("prefect")

from prefect import tags  # noqa: E402
from prefect.context import TagsContext  # noqa: E402
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings  # noqa: E402

from windtunnel.engines.prefect import flow_run, install  # noqa: E402
from windtunnel.engines.prefect.server import check_server  # noqa: E402
from windtunnel.errors import PlatformError, Unsupported  # noqa: E402
from windtunnel.install_options import InstallOptions  # noqa: E402


class Guarded(BaseHTTPRequestHandler):
    """Tells everybody that it is well, and nobody its version."""

    def do_GET(self) -> None:
        """Answer a request."""
        self.send_response(200 if self.path == "/api/health" else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"true" if self.path == "/api/health" else b'{"exception_message": "Unauthorized"}')

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def guarded() -> Iterator[int]:
    """The port of a server that wants a password."""
    with HTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def refusal(address: str) -> PlatformError:
    """Return the error that a server at an address is refused with."""
    with (
        temporary_settings({PREFECT_API_URL: address, PREFECT_CLIENT_MAX_RETRIES: 0}),
        pytest.raises(PlatformError) as caught,
    ):
        check_server()
    return caught.value


def test_a_server_that_wants_a_password_is_no_bug(guarded: int) -> None:
    """Exit 3 before anything starts, with the variable to set."""
    error = refusal(f"http://127.0.0.1:{guarded}/api")

    assert error.code == "prefect_refused"
    assert "does not let us in: set PREFECT_API_AUTH_STRING" in error.message


def test_an_address_without_its_api_is_told_so(guarded: int) -> None:
    """Something answers there: it is not that the server is not up."""
    error = refusal(f"http://127.0.0.1:{guarded}")

    assert error.code == "prefect_unreachable"
    assert "answers 401 when it is asked for its health; does its address end in /api?" in error.message


@pytest.mark.parametrize("port", [9, None])
def test_a_password_in_the_servers_address_is_not_shown(guarded: int, port: int | None) -> None:
    """Neither where nobody answers nor where somebody refuses."""
    error = refusal(f"http://admin:swordfish@127.0.0.1:{port or guarded}/api")

    assert f"127.0.0.1:{port or guarded}/api" in error.message
    assert "swordfish" not in error.message


@pytest.mark.parametrize("name", ["windtunnel", "windtunnel-janitor"])
def test_a_pool_of_somebody_elses_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A pool of another type with our name is refused before anything is made."""
    foreign = SimpleNamespace(name=name, type="docker")

    @contextmanager
    def server() -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(read_work_pools=lambda: [foreign])

    monkeypatch.setattr(install, "prefect_server", server)
    with pytest.raises(Unsupported, match=f"'{name}' is of type docker"):
        install.install(InstallOptions(Path("runs")))


def test_no_act_waits_for_a_slot_of_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's tags are not its tasks': a task that has one asks the server before it starts, which may be away."""
    seen: list[set[str]] = []

    class Recorded:
        def __init__(self, fn: Callable[[], None], **_options: object) -> None:
            self._body = fn

        def __call__(self, **_options: object) -> None:
            seen.append(TagsContext.get().current_tags)
            self._body()

    monkeypatch.setattr(flow_run, "Task", Recorded)
    with tags("windtunnel-run"):
        assert flow_run.TaskCaller()("benchmark 1/1", lambda: 42) == 42

    assert seen == [set()]

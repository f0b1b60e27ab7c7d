"""Inputs: fetched, verified, kept in the cache; and what a step leaves, collected."""

from __future__ import annotations

import base64
import gc
import hashlib
import itertools
import os
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from windtunnel.backends.inputs import digest_of, fetch_input
from windtunnel.errors import Cancelled, PlatformError, TimedOut
from windtunnel.plan import InputFile
from windtunnel.run.cache import cache_folder
from windtunnel.run.control import Control

DATA = b"some data\n" * 100
NUMBERS = itertools.count()
DIGEST = hashlib.sha256(DATA).hexdigest()


class Origin:
    """A server on this machine that gives its answers one after the other, the last one for good."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {"Content-Length": str(len(DATA))}, DATA)]
        self.requests = 0
        self.authorizations: list[str | None] = []
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers, body = origin.answers[min(origin.requests, len(origin.answers) - 1)]
                origin.requests += 1
                origin.authorizations.append(self.headers["Authorization"])
                self.send_response(status)
                for name, value in {"Connection": "close", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/data"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "windtunnel" / "inputs"


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Where inputs are downloaded from."""
    gc.freeze()  # so that the collection at the end looks through what this test made, and not through all there is
    origin = Origin()
    thread = threading.Thread(target=origin.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield origin
    origin.server.shutdown()
    thread.join()
    origin.server.server_close()
    # One test looks for connections that are left open; they shall not trip another one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.unfreeze()


def fetch(src: str, sha256: str | None = None, base: Path = Path("/nonexistent")) -> tuple[Path, str]:
    """Fetch an input with an hour's time, to a new place."""
    target = Path(os.environ["XDG_CACHE_HOME"]).parent / "copies" / str(next(NUMBERS))
    return fetch_input(InputFile(src=src, path="data", sha256=sha256), base, Control(3600), target)


def refusal(src: str, sha256: str | None = None) -> PlatformError:
    """Return the error of an input that cannot be had."""
    with pytest.raises(PlatformError) as error:
        fetch(src, sha256)
    return error.value


@pytest.mark.parametrize("sha256", [DIGEST, None])
def test_a_download_is_verified_and_kept_in_the_cache(origin: Origin, cache: Path, sha256: str | None) -> None:
    """The copy is whole and read-only; a pinned one is kept in the cache too, and nothing beside it."""
    path, digest = fetch(origin.url, sha256)
    assert path.read_bytes() == DATA
    assert digest == DIGEST
    assert [kept.name for kept in cache.glob("*")] == ([DIGEST] if sha256 else [])
    assert path.stat().st_mode & 0o777 == 0o444
    assert cache_folder("inputs") == cache


def test_an_addresss_password_goes_to_its_server_alone(origin: Origin) -> None:
    """As Basic authentication, decoded; not to where that server redirects to."""
    here = {"Location": origin.url, "Content-Length": "0"}
    origin.answers.insert(0, (302, here, b""))
    path, _digest = fetch(origin.url.replace("://", "://me:p%40ss@"))
    assert path.read_bytes() == DATA
    assert origin.authorizations == [f"Basic {base64.b64encode(b'me:p@ss').decode()}", None]


def test_a_pinned_download_is_made_once(origin: Origin) -> None:
    """The second fetch makes no request."""
    (one, _), (two, _) = fetch(origin.url, DIGEST), fetch(origin.url, DIGEST)
    assert one.read_bytes() == two.read_bytes() == DATA
    assert not one.samefile(two)
    assert origin.requests == 1


def test_an_unpinned_download_is_made_each_time(origin: Origin) -> None:
    """Nobody can tell whether it is still the same."""
    fetch(origin.url)
    origin.answers.append((200, {"Content-Length": "3"}, b"new"))
    path, _digest = fetch(origin.url)
    assert path.read_bytes() == b"new"
    assert origin.requests == 2


def test_a_cached_file_that_was_damaged_is_downloaded_again(origin: Origin, cache: Path) -> None:
    """The cache is verified too."""
    fetch(origin.url, DIGEST)
    path = cache / DIGEST
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert fetch(origin.url, DIGEST)[0].read_bytes() == DATA
    assert origin.requests == 2


def test_another_sum_is_refused(origin: Origin) -> None:
    """The message has both sums."""
    error = refusal(origin.url, "0" * 64)
    assert error.code == "input_mismatch"
    assert DIGEST in error.message
    assert "0" * 64 in error.message


def test_a_passing_failure_is_tried_again(origin: Origin) -> None:
    """A server that says 503 once is asked again."""
    origin.answers.insert(0, (503, {"Content-Length": "0"}, b""))
    assert fetch(origin.url)[0].read_bytes() == DATA
    assert origin.requests == 2


def test_a_lasting_failure_ends_after_some_attempts(origin: Origin, cache: Path) -> None:
    """The message has the address and what the server said, and nothing is left in the cache."""
    origin.answers = [(503, {"Content-Length": "0"}, b"")]
    error = refusal(origin.url)
    assert (error.code, origin.requests) == ("input_unavailable", 4)
    assert origin.url in error.message
    assert "Service Unavailable" in error.message
    assert list(cache.glob("*")) == []


@pytest.mark.parametrize(("status", "words"), [(404, "Not Found"), (403, "Forbidden")])
def test_what_is_not_there_is_not_asked_for_again(origin: Origin, status: int, words: str) -> None:
    """A client error fails at once."""
    origin.answers = [(status, {"Content-Length": "0"}, b"")]
    error = refusal(origin.url)
    assert (error.code, origin.requests) == ("input_unavailable", 1)
    assert words in error.message


def test_an_error_answer_leaves_no_connection_open(origin: Origin) -> None:
    """The answer of a server that says no is closed too."""
    origin.answers = [(404, {"Content-Length": "9"}, b"not there")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        refusal(origin.url)
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "2000"}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunked"]
)
def test_a_download_that_was_cut_short_is_not_taken_for_whole(origin: Origin, headers: dict[str, str]) -> None:
    """It is tried again, like any broken connection."""
    body = b"7d0\r\n" + DATA if "Transfer-Encoding" in headers else DATA
    origin.answers.insert(0, (200, headers, body))
    origin.answers[1] = (200, {"Content-Length": "2000"}, DATA * 2)
    assert fetch(origin.url)[0].read_bytes() == DATA * 2


@pytest.mark.parametrize(
    "src", ["http://127.0.0.1:1/x", "http://127.0.0.1/a b", "http://127.0.0.1:http/x", "http://[::1/x", "http://"]
)
def test_an_address_that_leads_nowhere_is_unavailable(src: str) -> None:
    """Refused connections and addresses that are none are the same kind of failure."""
    error = refusal(src)
    assert error.code == "input_unavailable"
    assert src in error.message


def test_a_cancelled_download_stops(origin: Origin, cache: Path) -> None:
    """Who cancels does not wait for the file, and a half of it is not kept."""
    control = Control(3600)
    control.cancel("by hand")
    with pytest.raises(Cancelled):
        fetch_input(InputFile(src=origin.url, path="data"), Path(), control, cache.parents[1] / "copy")
    assert list(cache.glob("*")) == []


@pytest.mark.parametrize("form", ["data.txt", "./data.txt", "{base}/data.txt", "file://{base}/data.txt"])
def test_a_file_is_copied_from_where_it_lies(tmp_path: Path, cache: Path, form: str) -> None:
    """Relative paths are relative to the benchmark's folder; what a step does to its copy does not reach the file."""
    (tmp_path / "data.txt").write_bytes(DATA)
    path, digest = fetch(form.format(base=tmp_path), DIGEST, base=tmp_path)
    assert path.read_bytes() == DATA
    assert not path.samefile(tmp_path / "data.txt")
    assert path.stat().st_mode & 0o777 == 0o444
    assert digest == DIGEST
    assert not cache.exists()


def test_an_escaped_file_address_is_read(tmp_path: Path) -> None:
    """A space in an address is written as %20."""
    (tmp_path / "my data.txt").write_bytes(DATA)
    assert fetch(f"file://{tmp_path}/my%20data.txt")[1] == DIGEST


@pytest.mark.parametrize(("name", "words"), [("none.txt", "No such file"), (".", "it is a folder, not a file")])
def test_a_file_that_cannot_be_read_is_unavailable(tmp_path: Path, name: str, words: str) -> None:
    """The message has the input and what the system said."""
    error = refusal(str(tmp_path / name))
    assert error.code == "input_unavailable"
    assert words in error.message


def test_the_deadline_ends_the_copying_of_a_file(tmp_path: Path) -> None:
    """However large it is."""
    with (tmp_path / "data").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TimedOut):
        fetch_input(InputFile(src="data", path="data"), tmp_path, Control(0.05), tmp_path / "copies" / "0")


def test_reading_a_file_for_its_sum_asks_the_control(tmp_path: Path) -> None:
    """Piece by piece, so that a cancel is heard."""
    control = Control(3600)
    control.cancel("by hand")
    (tmp_path / "data").write_bytes(DATA)
    with pytest.raises(Cancelled):
        digest_of(tmp_path / "data", control)


def test_a_file_with_another_sum_is_refused(tmp_path: Path) -> None:
    """Local files are verified too."""
    (tmp_path / "data.txt").write_bytes(b"other")
    assert refusal(str(tmp_path / "data.txt"), DIGEST).code == "input_mismatch"

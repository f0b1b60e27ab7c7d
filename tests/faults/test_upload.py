"""Uploads piece by piece, on a real S3 server: what is sent, what is not sent again, and what is noticed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.s3_lab import BUCKET, S3Lab, s3_server
from windtunnel.addresses import ObjectAddress
from windtunnel.errors import Cancelled, PlatformError, TimedOut
from windtunnel.run import upload
from windtunnel.run.bucket_upload import BucketUpload
from windtunnel.run.control import Control, GracePeriod
from windtunnel.run.folder import RunFolder
from windtunnel.run.mirror import Mirror
from windtunnel.run.s3 import Bucket, Listed

PART = 5 << 20
"""The least that S3 takes."""
STORE = ObjectAddress(BUCKET, "p")


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Lab]:
    """A server with an empty bucket, which this process uses."""
    with s3_server(tmp_path / "s3") as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The folder of a run, with a record, an empty file and one of some parts."""
    run = RunFolder(tmp_path / "run-1")
    (run.path / "work" / "client.1").mkdir(parents=True)
    (run.path / "work" / "client.1" / "big").write_bytes(b"not a result")
    (run.path / "run.json").write_text("{}", encoding="utf-8")
    (run.path / "empty").write_bytes(b"")
    (run.path / "large").write_bytes(os.urandom(2 * PART + 7))
    return run


def send(folder: RunFolder, *, is_new: bool = False) -> None:
    """Send a run with nothing remembered of an earlier time."""
    BucketUpload(folder, STORE, is_new=is_new, part=PART).send(Control(60))


@pytest.mark.parametrize("is_new", [True, False])
def test_files_of_any_size_arrive_whole(s3: S3Lab, folder: RunFolder, is_new: bool) -> None:  # noqa: FBT001 - a case
    """Empty ones and those in parts; what steps work with is no result."""
    send(folder, is_new=is_new)

    assert set(s3.objects()) == {"p/run-1/run.json", "p/run-1/empty", "p/run-1/large"}
    assert s3.read("p/run-1/empty") == b""
    assert s3.read("p/run-1/large") == (folder.path / "large").read_bytes()


def test_only_files_are_sent(s3: S3Lab, folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, a device or a socket is passed over; a pipe that takes a file's place meanwhile is not waited for."""
    for name in ("artifacts", "logs"):
        (folder.path / name).mkdir()
        os.mkfifo(folder.path / name / "pipe")
        (folder.path / name / "device").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as made:
            monkeypatch.chdir(folder.path / name)
            made.bind("socket")
    send(folder)
    assert set(s3.objects()) == {"p/run-1/run.json", "p/run-1/empty", "p/run-1/large"}

    late = folder.path / "logs" / "pipe"
    monkeypatch.setattr(upload, "_files", lambda _folder: [late])
    with pytest.raises(PlatformError, match="a named pipe stands where a file should be"):
        send(folder)


def test_what_has_grown_is_sent_again_and_nothing_else(s3: S3Lab, folder: RunFolder) -> None:
    """A log goes on while it is stored; the parts that were there before are known by their sums."""
    upload = BucketUpload(folder, STORE, is_new=True, part=PART)
    upload.send(Control(60))
    s3.proxy.sent = 0
    upload.send(Control(60))
    assert s3.proxy.sent == 0
    with (folder.path / "empty").open("ab") as file:
        file.write(b"a line\n")
    upload.send(Control(60))
    assert s3.read("p/run-1/empty") == b"a line\n"
    assert s3.proxy.sent < 10_000


def test_a_store_that_tells_no_checksums_is_read_back(
    s3: S3Lab, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored differently is noticed there too, and what is the same is not sent again."""
    for name in ("checksum", "put", "finish"):
        monkeypatch.setattr(Bucket, name, silent(getattr(Bucket, name)))
    send(folder)
    s3.proxy.sent = 0
    send(folder)
    assert s3.proxy.sent < 10_000

    monkeypatch.setattr(Bucket, "put", lambda _bucket, key, data, _checksum: s3.put(key, data + b"x"))
    (folder.path / "empty").write_bytes(b"line\n")
    with pytest.raises(PlatformError, match="p/run-1/empty: what is stored is not what was sent"):
        send(folder)


def silent(method: Callable[..., object]) -> Callable[..., None]:
    """Return a method of a bucket that does the same and tells nothing."""

    def call(*arguments: object) -> None:
        method(*arguments)

    return call


def test_bytes_that_are_changed_on_their_way_are_not_taken(
    s3: S3Lab, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store compares them with the sum that came along."""
    whole = Bucket.put
    monkeypatch.setattr(Bucket, "put", lambda self, key, data, checksum: whole(self, key, data[::-1] + b"x", checksum))
    with pytest.raises(PlatformError, match="BadDigest"):
        send(folder)
    assert s3.objects() == []


def test_the_record_is_the_last_object(s3: S3Lab, folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is there tells only of what is there, too."""
    keys: list[str] = []
    whole = Bucket.put

    def put(self: Bucket, key: str, data: bytes, checksum: str) -> str | None:
        assert key != "p/run-1/run.json" or set(s3.objects()) == {"p/run-1/empty", "p/run-1/large"}
        keys.append(key)
        return whole(self, key, data, checksum)

    monkeypatch.setattr(Bucket, "put", put)
    send(folder)
    assert keys[-1] == "p/run-1/run.json"


def test_its_time_ends_an_upload_and_the_next_one_goes_on(s3: S3Lab, folder: RunFolder) -> None:
    """The same upload is used again, with the parts that it has."""
    s3.proxy.pause = 0.004  # some 15 MiB/s at most
    upload = BucketUpload(folder, STORE, is_new=True, part=PART)
    with pytest.raises(TimedOut, match=r"not done within 0\.5 s"):
        upload.send(GracePeriod(Control(0), 0.5))
    s3.proxy.pause = 0
    upload.send(GracePeriod(Control(0)))
    assert s3.read("p/run-1/large") == (folder.path / "large").read_bytes()
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=BUCKET)


def test_a_grace_period_ends_when_somebody_asks_once_more() -> None:
    """That the run was cancelled before does not count."""
    control = Control(60)
    control.cancel("first")
    grace = GracePeriod(control, 60)
    grace.check()
    control.cancel("second")
    with pytest.raises(Cancelled):
        grace.check()


@pytest.mark.parametrize("name", ["../outside", "logs/../../outside", "/outside", "folder/"])
def test_a_mirror_takes_no_name_that_leads_elsewhere(
    s3: S3Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A store's keys are not to be trusted; nothing is asked for under such a one."""
    s3.put("p/run-1/run.json", b"{}")
    mirror = Mirror(STORE)
    run = RunFolder(mirror.records() / "run-1")
    before = set(tmp_path.rglob("*"))
    hostile = {f"p/run-1/{name}": Listed(1, datetime.now(UTC))}
    monkeypatch.setattr(Bucket, "listing", lambda _bucket, _prefix: hostile)
    mirror.complete(run)

    assert set(tmp_path.rglob("*")) - before == set()


def test_a_mirrored_file_is_brought_once(s3: S3Lab, folder: RunFolder) -> None:
    """Unless the store has another one meanwhile."""
    send(folder)
    mirror = Mirror(STORE)
    run = RunFolder(mirror.records() / "run-1")
    mirror.complete(run)
    before = (run.path / "large").stat().st_ino
    mirror.complete(run)
    assert (run.path / "large").stat().st_ino == before

    time.sleep(1.1)  # the server's clock has steps of a second
    s3.put("p/run-1/large", b"another")
    mirror.complete(run)
    assert (run.path / "large").read_bytes() == b"another"


@pytest.mark.usefixtures("s3")
def test_a_mirror_brings_those_files_that_are_asked_for(folder: RunFolder) -> None:
    """A sweep is compared without the logs and artifacts of its runs."""
    send(folder)
    mirror = Mirror(STORE)
    run = RunFolder(mirror.records() / "run-1")
    mirror.complete(run, names=("empty", "not-there"))
    assert {path.name for path in run.path.iterdir()} == {"run.json", "empty"}

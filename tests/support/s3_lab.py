"""An S3 server of its own for tests: versitygw, built once from its Go module, on a folder.

`make s3-server` builds it; so does ``python -m support.s3_lab`` in the folder ``tests``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from cluster import places
from cluster.build import timed
from cluster.shell import Failed, run
from support.lab import free_port
from support.needs import lacking
from support.proxy import Proxy

MODULE, VERSION = "github.com/versity/versitygw", "v1.8.0"
ACCESS, SECRET = "AKTESTS", "not-a-real-secret-key"
BUCKET = "results"
START_SECONDS = 20.0
_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def binary() -> Path:
    """Return where the server lies, built or not; a folder a version."""
    return places.cache() / f"versitygw-{VERSION}" / "versitygw"


def build() -> None:
    """Build it, unless it is there; it appears under its name when it is whole.

    Raises:
        Failed: There is no Go, or it does not build.
    """
    if shutil.which("go") is None:
        raise Failed("the S3 server is built with Go: install Go 1.25 or newer")
    with places.locked(binary().parent.name):
        if binary().is_file():
            return
        part = binary().parent / "part"
        package = f"{MODULE}/cmd/versitygw@{VERSION}"
        run(["go", "install", "-trimpath", "-ldflags", "-s -w", package], env=_SETTINGS | {"GOBIN": str(part)})
        (part / "versitygw").rename(binary())
        part.rmdir()


@dataclass
class S3Lab:
    """A server, and a way to it that can be cut, slowed down, and counts what passes.

    Attributes:
        path: Where its objects are: a folder a bucket, a file an object.
        proxy: The way; what `env` says leads through it.
        env: What a client's environment has to have, credentials included.
    """

    path: Path
    proxy: Proxy
    port: int
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.env = {
            "AWS_ENDPOINT_URL_S3": self.proxy.url,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            # What the user has configured is not the tests'.
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
        }

    @property
    def client(self) -> Any:
        """A client of the server, past the proxy."""
        return boto3.session.Session(aws_access_key_id=ACCESS, aws_secret_access_key=SECRET).client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1"
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        address = ["--port", f"127.0.0.1:{self.port}"]
        command = [str(binary()), "--access", ACCESS, "--secret", SECRET, *address, "--quiet", "posix", str(self.path)]
        with self.path.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def objects(self, prefix: str = "") -> list[str]:
        """Return the keys of the bucket."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return [item["Key"] for item in found]

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)


@contextlib.contextmanager
def s3_server(path: Path, address: str = "127.0.0.1") -> Iterator[S3Lab]:
    """Lend a server with one empty bucket, reached at an address; skip the test where it is not built."""
    if not binary().is_file():
        lacking("s3: the server is not built; `make s3-server` does it", "s3")
    path.mkdir()
    port = free_port()
    with Proxy(("127.0.0.1", port), address) as proxy:
        lab = S3Lab(path, proxy, port)
        lab.start()
        try:
            lab.client.create_bucket(Bucket=BUCKET)
            yield lab
        finally:
            lab.kill()


if __name__ == "__main__":
    os.nice(19)
    timed(f"versitygw {VERSION}", print, build)

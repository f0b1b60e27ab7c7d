"""A benchmark full of marked secrets for a cluster, and all that could be seen there while it ran."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO
from uuid import uuid4

from support.kubernetes_lab import KUBECTL, image

MARK = f"Zq7Marked{uuid4().hex[:8]}Secret"
"""Of this process alone: others show theirs in the same namespace at the same time."""
SEEN = "pods,services,configmaps,jobs.batch,leases,networkpolicies,events"
"""Every kind of object that a run has, but Secrets."""
ARGOS = "workflows,workflowtaskresults,cronworkflows"
OVERRIDE = f"client.env.OTHER_TOKEN={MARK}-override"
_SERVER = [
    "sh",
    "-c",
    "exec python3 /programs/server.py --port $PORT --host 0.0.0.0",
    "server",
    f"--password={MARK}-word",
]
_CLIENT = """
import hashlib, os, pathlib, sys
names = "API_TOKEN", "DATABASE_URL", "OTHER_TOKEN"
texts = [os.environ.get(name, "") for name in names] + sys.argv[1:] + [pathlib.Path("settings.ini").read_text()]
print("rate=1 digest=" + hashlib.sha256("|".join(texts).encode()).hexdigest())
"""


def benchmark(store: str = "runs", placement: str = "apart") -> str:
    """Return the benchmark; its client prints a digest of all its secrets, and its server waits for nobody."""
    command = ["python3", "-c", _CLIENT, "--password", f"{MARK}-pa$$word"]
    return f"""
spec_version = "1"
[benchmark]
name = "marked"
strategy = "client-server"
labels = {{ token = "{MARK}-label" }}
[server]
image = "{image()}"
command = {json.dumps(_SERVER)}
port = 0
placement = "{placement}"
ready = {{ http = "/ready", within = "20s" }}
grace = "1s"
env = {{ SERVER_PASSWORD = "{MARK}-server" }}
[client]
image = "{image()}"
command = {json.dumps(command)}
env = {{ API_TOKEN = "{MARK}-token", DATABASE_URL = "postgres://u:{MARK}-db@$SERVER_HOST/x" }}
files = {{ "settings.ini" = "password = {MARK}-file" }}
[[metrics]]
name = "rate"
pattern = "rate=(.)"
[output]
store = "{store}"
"""


def digest(host: str, other: str = f"{MARK}-override") -> str:
    """Return what the client prints if it got all of them, from a server of some name."""
    database = f"postgres://u:{MARK}-db@{host}/x"
    texts = [f"{MARK}-token", database, other, "--password", f"{MARK}-pa$word", f"password = {MARK}-file"]
    return hashlib.sha256("|".join(texts).encode()).hexdigest()


def leaks(text: str, mark: str = MARK) -> list[str]:
    """Return where a mark stands in a text, plain or encoded once or twice, with what is around it."""
    places = (text.find(each) for each in _spellings(mark))
    return [text[max(0, place - 200) : place + 80] for place in places if place >= 0]


def _spellings(mark: str) -> Iterable[str]:
    once = list(_encoded(mark.encode()))
    return [mark, *once, *(twice for each in once for twice in _encoded(each.encode()))]


def _encoded(text: bytes) -> Iterator[str]:
    """Yield what base64 makes of a text wherever it stands, without the letters that depend on its neighbours."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + text).decode().rstrip("=")
        yield whole[4 if shift else 0 : -2]


@contextmanager
def watched(*kinds: str) -> Iterator[list[str]]:
    """Watch kinds of objects with kubectl; what is lent has each version of each of them as YAML, line by line."""
    lines: list[str] = []
    with ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(_watch(["get", kind, "--watch", "--output", "yaml"], lines))
        yield lines


@contextmanager
def _watch(arguments: list[str], lines: list[str]) -> Iterator[None]:
    with subprocess.Popen([KUBECTL, *arguments], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        reader = threading.Thread(target=_read, args=(watch.stdout, lines))
        reader.start()
        try:
            yield
        finally:
            watch.terminate()
            reader.join()


def _read(stream: IO[str], lines: list[str]) -> None:
    lines.extend(stream)

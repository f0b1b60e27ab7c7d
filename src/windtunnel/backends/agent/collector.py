"""Beside a step, in its pod: samples what its containers use, and hands on what it wrote.

Run as ``collector HUB RESULTS_TOKEN USAGE_TOKEN NAME`` it samples until SIGTERM, which
Kubernetes sends when the step has ended, or is to end; then it sends an archive of what the
step wrote, and ``host.json``. Run as ``collector fetch KIND,NAME,URL,TOKEN…`` it gets inputs, or
(``tree`` instead of ``file``) a container's Python environment, which it unpacks, or (``start``) the word
to begin, whenever that comes; and as ``collector place FOLDER…`` it makes folders and puts files where the
step finds them.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
from pathlib import Path, PurePosixPath

from windtunnel.backends.agent.dial_out import PAUSE_SECONDS, Clock, fetch, insist, post, send
from windtunnel.backends.agent.host_facts import describe_host
from windtunnel.backends.agent.places import FILES, INPUTS, PYTHON, RESULTS, WORK, arguments
from windtunnel.backends.agent.usage import Sampler, headless

SAMPLE_SECONDS = 0.5


def pack(file: io.RawIOBase, extra: dict[str, bytes]) -> None:
    """Write the archive; a file that vanishes or cannot be read meanwhile is left out.

    Of what is no file it has the name alone: a pipe may stand where the metrics should.
    """
    # Dereferenced, a file with several names is written once for each.
    with tarfile.open(fileobj=file, mode="w|", dereference=True) as archive:
        for name, content in extra.items():
            entry = tarfile.TarInfo("results/" + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path in sorted(RESULTS.rglob("*")):
            if path.is_file() and not path.is_symlink():
                add(archive, path)
            else:
                entry = tarfile.TarInfo(name_of(path))
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)


def name_of(path: Path) -> str:
    """Return what the archive calls something that the step wrote."""
    return "results/" + str(path.relative_to(RESULTS))


def add(archive: tarfile.TarFile, path: Path) -> None:
    """Add a file as it is now."""
    try:
        with path.open("rb") as file:
            entry = archive.gettarinfo(arcname=name_of(path), fileobj=file)
            if entry is not None and entry.isreg():
                archive.addfile(entry, file)
    except OSError as error:
        sys.stderr.write(f"{path}: {error}\n")


def get(kind: str, name: str, url: str, token: str) -> None:
    """Get what a container mounts, for anybody to read; insist on it."""
    if kind == "start":
        await_start(url, token)
        return
    target = INPUTS / name if kind == "file" else PYTHON / name / ".archive"
    insist(f"fetching {name}", lambda: fetch(url, token, target))
    if kind == "file":
        target.chmod(0o444)
    else:
        unpack(target, target.parent)
        target.unlink()


def await_start(url: str, token: str) -> None:
    """Return when there is an empty file at the hub: its driver puts it there when all members have a place."""
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if fetch(url, token, Path(os.devnull)):
                return
        time.sleep(PAUSE_SECONDS)


def unpack(archive: Path, folder: Path) -> None:
    """Write what an archive has in its one folder; links come last, so that nothing is written through one."""
    links = []
    with tarfile.open(str(archive)) as content:
        for entry in content:
            inner = PurePosixPath(entry.name).parts[1:]
            target = folder.joinpath(*inner)
            if ".." in inner or not inner:
                continue
            if entry.isdir():
                target.mkdir(parents=True, exist_ok=True)
                target.chmod(0o755)
            elif entry.issym():
                links.append((target, entry.linkname))
            elif entry.isreg():
                source = content.extractfile(entry)
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file)  # type: ignore[arg-type]
                target.chmod(0o755 if entry.mode & 0o100 else 0o644)
    for target, leads_to in links:
        target.symlink_to(leads_to)


def place(folders: list[str]) -> None:
    """Put files into the containers' working folders, in which a step may do as it likes."""
    for name in folders:
        make_folder(WORK / name)
    # In a volume of files, what one sees are links to a folder of its own, whose name begins with two dots.
    for parent, inner, files in os.walk(FILES, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith("..")]
        folder = WORK / Path(parent).relative_to(FILES)
        for file in files:
            make_folder(folder)
            shutil.copyfile(Path(parent) / file, folder / file)
            (folder / file).chmod(0o644)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, for everybody."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o777)


def collect(hub: str, results_token: str, usage_token: str, name: str) -> None:
    """Sample until SIGTERM, then send what there is."""
    over = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        over.set()
        # At once: what follows may wait for a hub that is gone, and there is little time then.
        end_headless()

    signal.signal(signal.SIGTERM, stop)
    sampler, waiting, clock = Sampler(), "", Clock()
    post(f"{hub}/usage/{name}", usage_token, "", clock)
    while True:
        is_over = over.wait(SAMPLE_SECONDS)
        samples = [{**sample, "time": clock.moved(sample["time"])} for sample in sampler.sample()]
        waiting += "".join(json.dumps(sample) + "\n" for sample in samples)
        if post(f"{hub}/usage/{name}", usage_token, waiting, clock):
            waiting = ""
        if is_over:
            break
    extra = {"host.json": json.dumps(describe_host()).encode()}
    pack_all = functools.partial(pack, extra=extra)
    insist("sending what the step wrote", lambda: send(f"{hub}/results/{name}", results_token, pack_all))


def end_headless() -> None:
    """Kill the processes that a container runtime takes for ended while their threads go on, and never ends."""
    for pid in headless():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Run as the arguments say."""
    words = arguments()
    if words[0] == "fetch":
        for word in words[1:]:
            get(*word.split(","))
    elif words[0] == "place":
        place(words[1:])
    else:
        collect(*words)

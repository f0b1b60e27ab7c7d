"""Inputs: fetched once, verified, kept in the user's cache, and put into a step's folder."""

from __future__ import annotations

import base64
import hashlib
import http.client
import stat
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from windtunnel.addresses import S3, parse_object
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile
from windtunnel.run.cache import atomic_write, cache_folder
from windtunnel.run.control import Control, run_cancellable

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 4
_RETRYABLE_STATUS = 500
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def is_local(item: InputFile) -> bool:
    """Tell whether an input is a file of a machine's; else it is downloaded."""
    return not item.src.startswith(("http://", "https://", S3))


def local_file(item: InputFile, base: Path) -> Path:
    """Return where an input is that is a file of this machine's; `base` is what a relative path is relative to."""
    is_url = item.src.startswith("file://")
    return base / (unquote(urlsplit(item.src).path) if is_url else Path(item.src).expanduser())


def fetch_input(
    item: InputFile, base: Path, control: Control, target: Path, carried: Mapping[str, Path] = MappingProxyType({})
) -> tuple[Path, str]:
    """Put a verified, read-only copy of an input at `target`; return it and its SHA-256.

    A download whose SHA-256 is given is taken from the cache when it is there and still
    has that sum; one without is downloaded each time.

    Args:
        item: What to fetch.
        base: Folder that a relative path is relative to.
        control: Asked while it is copied or downloaded, and while it is read for its sum.
        target: Where the copy goes; its folder is made.
        carried: Where files of another machine are here, by their `src`.

    Raises:
        PlatformError: It cannot be had (``input_unavailable``) or is not what was asked
            for (``input_mismatch``).
        TimedOut, Cancelled: As the control says.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if is_local(item):
            source = carried.get(item.src) or local_file(item, base)
            run_cancellable(control, lambda: _copy_file(source, target, control))
        else:
            _download(item, control, target)
        digest = digest_of(target, control)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise PlatformError(f"input {item.src}: {reason}", code="input_unavailable") from None
    if item.sha256 and digest != item.sha256:
        raise PlatformError(
            f"input {item.src}: its sha256 is {digest}, not {item.sha256} as the benchmark says", code="input_mismatch"
        )
    target.chmod(0o444)
    return target, digest


def _download(item: InputFile, control: Control, target: Path) -> None:
    cached = cache_folder("inputs") / item.sha256 if item.sha256 else None
    if cached and cached.exists() and digest_of(cached, control) == item.sha256:
        _copy(cached, target, control)
        return
    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=5),
        retry=retry_if_exception(_is_passing),
        sleep=control.wait,
        reraise=True,
    )
    retrying(run_cancellable, control, lambda: _read(item.src, target))
    if cached and digest_of(target, control) == item.sha256:
        with atomic_write(cached) as partial:
            _copy(target, partial, control)
            partial.chmod(0o444)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= _RETRYABLE_STATUS
    return isinstance(error, (OSError, http.client.IncompleteRead))


def _read(src: str, target: Path) -> None:
    if not src.startswith(S3):
        _read_url(src, target)
        return
    # boto3 is slow to load, and an extra.
    from windtunnel.run.s3 import Bucket

    address = parse_object(src)
    Bucket(address.bucket, "input_unavailable", "input").download(address.key, target)


def _read_url(url: str, target: Path) -> None:
    try:
        response = urllib.request.urlopen(_request(url), timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the scheme was checked
    except urllib.error.HTTPError as error:
        error.close()
        raise
    with response, target.open("wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
        # http.client does not tell an answer that ends too soon when it is read in parts.
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)


def _request(url: str) -> urllib.request.Request:
    """Return the request for an address; its user and password go to that server alone, by RFC 7617."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())  # noqa: S310 - the scheme was checked
    if at:
        encoded = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _copy_file(source: Path, target: Path, control: Control) -> None:
    """Copy what has to be a file (OSError): reading anything else may never end."""
    mode = source.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
        raise OSError(f"it is {kind}, not a file")
    _copy(source, target, control)


def _copy(source: Path, target: Path, control: Control) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            control.check()
            writing.write(chunk)


def digest_of(path: Path, control: Control) -> str:
    """Return a file's SHA-256.

    Raises:
        TimedOut, Cancelled: As the control says, which is asked meanwhile.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            control.check()
            digest.update(chunk)
    return digest.hexdigest()


def place_files(folder: Path, files: Mapping[str, str], inputs: Mapping[str, Path]) -> None:
    """Put inline files and links to fetched inputs into a step's working folder.

    Args:
        folder: The working folder, which exists.
        files: Relative path to content.
        inputs: Relative path to where the input lies.
    """
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for name, source in inputs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(source)

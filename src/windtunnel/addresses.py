"""Addresses of inputs and stores that are no paths: ``s3://bucket/key`` and ``pvc://claim/path``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from windtunnel.secrets import Redaction

S3, CLAIM = "s3://", "pvc://"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_STORE_HINT = "use a folder, s3://bucket/prefix or pvc://claim/path"


@dataclass(frozen=True)
class ObjectAddress:
    """An object of an S3 store, or what begins with a key; without a key it is the whole bucket."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{S3}{self.bucket}/{self.key}".rstrip("/")

    def below(self, name: str) -> ObjectAddress:
        """Return the address of `name`, which may have slashes, below this one."""
        return replace(self, key=f"{self.key}/{name}".lstrip("/"))


@dataclass(frozen=True)
class ClaimAddress:
    """A folder of a Kubernetes volume claim; an empty path is the whole volume."""

    claim: str
    path: str = ""

    def __str__(self) -> str:
        return f"{CLAIM}{self.claim}/{self.path}".rstrip("/")

    def below(self, name: str) -> ClaimAddress:
        """Return the address of `name`, which may have slashes, below this one."""
        return replace(self, path=f"{self.path}/{name}".lstrip("/"))


def parse_object(text: str) -> ObjectAddress:
    """Return the address that ``s3://bucket/key`` says (ValueError if it says none)."""
    bucket, _, key = text.removeprefix(S3).partition("/")
    if "@" in bucket:
        # What was written there may be a secret: it is not repeated.
        msg = "credentials do not belong in an address; boto3 finds them (AWS_PROFILE, AWS_ACCESS_KEY_ID, ...)"
        raise ValueError(msg)
    if not text.startswith(S3) or not _BUCKET.fullmatch(bucket) or "\0" in key:
        msg = f"{_shown(text)} is not an address in an S3 store; write it like s3://bucket/key"
        raise ValueError(msg)
    return ObjectAddress(bucket, key)


def is_object_name(text: str) -> bool:
    """Tell whether an object of Kubernetes may be called so."""
    return bool(_OBJECT.fullmatch(text))


def parse_store(text: str) -> Path | ObjectAddress | ClaimAddress:
    """Return what a store's text means: a folder, a prefix of a bucket, or a folder of a volume claim.

    ``~`` is the home folder of the user who runs it.

    Raises:
        ValueError: The text is not a store.
    """
    if text.startswith(S3):
        address = parse_object(text)
        return replace(address, key=_folder_path(text, address.key))
    if text.startswith(CLAIM):
        claim, _, path = text.removeprefix(CLAIM).partition("/")
        if not is_object_name(claim):
            msg = f"{_shown(text)} is not a folder of a volume claim; write it like pvc://claim/path"
            raise ValueError(msg)
        return ClaimAddress(claim, _folder_path(text, path))
    if not text or "\0" in text or _SCHEME.match(text):
        msg = f"{_shown(text)} is not a store; {_STORE_HINT}"
        raise ValueError(msg)
    if _VARIABLE.search(text):
        msg = f"{_shown(text)}: variables are not replaced in a store; write the folder itself, such as ~/runs"
        raise ValueError(msg)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        msg = f"{_shown(text)}: {str(error)[:1].lower()}{str(error)[1:].rstrip('.')}"
        raise ValueError(msg) from None


def _folder_path(text: str, path: str) -> str:
    folder = path.rstrip("/")
    if folder and {"", ".", ".."} & set(folder.split("/")):
        msg = f"{_shown(text)}: {_shown(path)} is not the path of a folder; {_STORE_HINT}"
        raise ValueError(msg)
    return folder


def _shown(text: str) -> str:
    """Return a text as a message quotes it: a password may have been written into any address."""
    return repr(Redaction().text(text))

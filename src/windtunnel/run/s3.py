"""S3 as Windtunnel uses it, and its errors in our words: the one home of boto3.

Endpoint, profile and credentials are boto3's own business (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE``,
``AWS_ACCESS_KEY_ID``, …), so that a benchmark never holds them. Checksums are SHA-256, base64; that of
an object sent in parts is the checksum of its parts' digests, a hyphen, and how many there are.
Source: Amazon S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from windtunnel.addresses import ObjectAddress
from windtunnel.errors import PlatformError
from windtunnel.secrets import Redaction

CONNECT_SECONDS, READ_SECONDS = 10, 30
_CHUNK = 1 << 20
_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "AuthorizationHeaderMalformed",
    "RequestTimeTooSkewed",
}
_DENIED = {"AccessDenied", "403", "AllAccessDisabled"}
_MISSING = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True)
class Listed:
    """What a listing tells of an object: its size in bytes, and when it was written."""

    size: int
    modified: datetime


class Bucket:
    """One bucket, through the client that the environment configures.

    Every method raises PlatformError in words that say what to do.

    Args:
        name: The bucket.
        code: The code of the errors.
        what: What messages call the object, such as ``input``.
    """

    def __init__(self, name: str, code: str, what: str = "") -> None:
        self.name, self._code = name, code
        self._what = f"{what} " if what else ""
        # A checksum that is asked for nowhere would be sent in a way that older stores do not know.
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            request_checksum_calculation="when_required",
            signature_version="s3v4",  # boto3 signs links with an older one, which new regions refuse
        )
        with self._words("", ""):
            self._client = boto3.session.Session().client("s3", config=config)

    @property
    def endpoint(self) -> str:
        """The address of the store."""
        return str(self._client.meta.endpoint_url)

    def download(self, key: str, target: Path) -> None:
        """Write an object to a file; what arrives is checked against the store's checksum, if it has a plain one.

        Raises:
            ConnectionError: The object was cut short or damaged on its way; another try may help.
        """
        with self._words(key, "s3:GetObject"):
            answer = self._client.get_object(Bucket=self.name, Key=key)
        with closing(answer["Body"]) as body, target.open("wb") as file:
            try:
                while chunk := body.read(_CHUNK):
                    file.write(chunk)
            except BotoCoreError as error:
                msg = f"it was cut short or damaged on its way: {error}"
                raise ConnectionError(msg) from None

    @contextmanager
    def reading(self, key: str) -> Iterator[IO[bytes]]:
        """Lend an object's content as a stream."""
        with self._words(key, "s3:GetObject"), closing(self._get(key)) as body:
            yield body

    def _get(self, key: str) -> Any:
        return self._client.get_object(Bucket=self.name, Key=key)["Body"]

    def link(self, key: str, seconds: int, media_type: str) -> str:
        """Return an address that gives an object to whoever has it, such as a browser.

        Args:
            key: The object.
            seconds: How long it works, a week at most; it ends with the credentials, if those end sooner.
            media_type: What the object is given as.
        """
        wanted = {"Bucket": self.name, "Key": key, "ResponseContentType": media_type}
        with self._words(key, "s3:GetObject"):
            return str(self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds))

    def listing(self, prefix: str) -> dict[str, Listed]:
        """Return what there is of all objects whose key begins so."""
        return {
            item["Key"]: Listed(item["Size"], item["LastModified"])
            for page in self._pages("list_objects_v2", prefix)
            for item in page.get("Contents", ())
        }

    def folders(self, prefix: str) -> list[str]:
        """Return the names that follow `prefix` in keys, up to the next slash."""
        pages = self._pages("list_objects_v2", prefix, Delimiter="/")
        return [item["Prefix"][len(prefix) : -1] for page in pages for item in page.get("CommonPrefixes", ())]

    def checksum(self, key: str) -> str | None:
        """Return the SHA-256 checksum that the store tells of an object; None if it tells none."""
        with self._words(key, "s3:GetObject"):
            answer = self._client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        return _checksum_of(answer)

    def put(self, key: str, data: bytes, checksum: str) -> str | None:
        """Write an object, which the store takes only if it has this checksum; return the one that it tells."""
        with self._words(key, "s3:PutObject"):
            return _checksum_of(self._client.put_object(Bucket=self.name, Key=key, Body=data, ChecksumSHA256=checksum))

    def begin(self, key: str) -> str:
        """Begin an upload in parts and return its id."""
        with self._words(key, "s3:PutObject"):
            answer = self._client.create_multipart_upload(Bucket=self.name, Key=key, ChecksumAlgorithm="SHA256")
        return str(answer["UploadId"])

    def unfinished(self, key: str) -> str | None:
        """Return the id of the latest upload in parts that was begun for a key and not finished, if there is one."""
        uploads = [
            item
            for page in self._pages("list_multipart_uploads", key)
            for item in page.get("Uploads", ())
            if item["Key"] == key and item.get("ChecksumAlgorithm", "SHA256") == "SHA256"
        ]
        return str(max(uploads, key=lambda item: item["Initiated"])["UploadId"]) if uploads else None

    def parts(self, key: str, upload: str) -> dict[int, Mapping[str, Any]]:
        """Return the parts that an unfinished upload has already, by number, as `finish` wants them."""
        return {
            item["PartNumber"]: _part(item["PartNumber"], item)
            for page in self._pages("list_parts", None, Key=key, UploadId=upload)
            for item in page.get("Parts", ())
        }

    def put_part(self, key: str, upload: str, number: int, data: bytes, checksum: str) -> Mapping[str, Any]:
        """Send a part, which the store takes only if it has this checksum; return it as `finish` wants it."""
        with self._words(key, "s3:PutObject"):
            answer = self._client.upload_part(
                Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=data, ChecksumSHA256=checksum
            )
        return _part(number, answer)

    def finish(self, key: str, upload: str, parts: Sequence[Mapping[str, Any]]) -> str | None:
        """Make an object of its parts; return the checksum that the store tells."""
        with self._words(key, "s3:PutObject"):
            return _checksum_of(
                self._client.complete_multipart_upload(
                    Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": list(parts)}
                )
            )

    def _pages(self, operation: str, prefix: str | None, **options: Any) -> Iterator[Mapping[str, Any]]:
        named = options if prefix is None else options | {"Prefix": prefix}
        with self._words(prefix or options.get("Key", ""), "s3:ListBucket"):
            yield from self._client.get_paginator(operation).paginate(Bucket=self.name, **named)

    @contextmanager
    def _words(self, key: str, permission: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            reason = self._explain(error, permission)
            hidden = Redaction.of_variables(os.environ).text(reason)
            raise PlatformError(f"{self._what}{ObjectAddress(self.name, key)}: {hidden}", code=self._code) from None

    def _explain(self, error: ClientError | BotoCoreError, permission: str) -> str:
        if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            return (
                "boto3 finds no credentials here; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                " (and AWS_ENDPOINT_URL_S3, where it is not Amazon's)"
            )
        if isinstance(error, (BotoConnectionError, HTTPClientError)):
            return f"no answer from {self.endpoint}: {error}"
        return self._explain_refusal(error, permission) if isinstance(error, ClientError) else str(error)

    def _explain_refusal(self, error: ClientError, permission: str) -> str:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        endpoint = self.endpoint
        if code == "NoSuchBucket":
            return f"there is no bucket {self.name!r} at {endpoint}; make it, or correct its name"
        if code in _MISSING:
            return f"there is no such object at {endpoint}"
        if code in _DENIED:
            return f"access is denied at {endpoint}; the credentials need {permission} there ({message})"
        if code in _REFUSED:
            return f"{endpoint} refuses the credentials: {message} ({code})"
        return f"{message or 'refused'} ({code}, from {endpoint})"


def _checksum_of(answer: Mapping[str, Any]) -> str | None:
    value = answer.get("ChecksumSHA256")
    return str(value) if value else None


def _part(number: int, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    checksum = {"ChecksumSHA256": _checksum_of(answer)} if _checksum_of(answer) else {}
    return {"PartNumber": number, "ETag": answer["ETag"]} | checksum

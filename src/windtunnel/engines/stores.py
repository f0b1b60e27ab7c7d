"""Stores that are no folders: whether they can be used from here, and what sends a run to one."""

from __future__ import annotations

from typing import cast

from windtunnel.addresses import CLAIM, ClaimAddress, ObjectAddress
from windtunnel.backends import BACKENDS, backends_that, make_backend
from windtunnel.errors import PlatformError, UsageError
from windtunnel.extras import load, missing_extra
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.upload import Upload


def aws_unavailable() -> str | None:
    """Return why S3 cannot be used here, or None if it can."""
    return missing_extra("aws", ["boto3"])


def require_aws(what: str) -> None:
    """Check that S3 can be used here, which `what` needs (UsageError with what to install, otherwise)."""
    if reason := aws_unavailable():
        raise UsageError(f"{what}: {reason}")


def require_store(store: ObjectAddress | ClaimAddress) -> None:
    """Check that a store can be written from here.

    Raises:
        UsageError: An extra is not installed.
        PlatformError: There is no cluster.
    """
    if isinstance(store, ObjectAddress):
        require_aws(str(store))
    elif reason := make_backend(_claims_backend()).available():
        raise PlatformError(f"{store}: {reason}", code="backend_unavailable")


def open_upload(
    folder: RunFolder, store: ObjectAddress | ClaimAddress, control: Control, *, is_new: bool = False
) -> Upload:
    """Return what sends a run to a store; it is to be closed.

    Args:
        folder: The run.
        store: Where runs are kept.
        control: Asked until it can be sent to.
        is_new: Whether nothing of this run can be there yet.

    Raises:
        PlatformError: The store cannot be reached (``store_failed``).
        TimedOut, Cancelled: As the control says.
    """
    # boto3 and the cluster's client are slow to load, and extras.
    if isinstance(store, ObjectAddress):
        from windtunnel.run.bucket_upload import BucketUpload

        return BucketUpload(folder, store, is_new=is_new)
    upload = load(BACKENDS[_claims_backend()].stores[CLAIM])
    return cast("Upload", upload(folder, store, control))


def _claims_backend() -> str:
    """Return the name of the backend whose platform has volume claims."""
    (name,) = backends_that(lambda traits: CLAIM in traits.stores)
    return name

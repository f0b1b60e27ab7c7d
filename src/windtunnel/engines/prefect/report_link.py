"""Where a run's report lies, and the address at which a browser opens it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from windtunnel.addresses import S3, parse_object
from windtunnel.errors import PlatformError
from windtunnel.run.record import RunRecord

REPORT = "report.html"
REPORTS_URL = "WINDTUNNEL_REPORTS_URL"
"""Variable with the address under which the store is published, for links that open anywhere."""
LINK_SECONDS = 7 * 24 * 3600
"""How long the link to a report in a bucket works at most: no signature lasts longer."""


@dataclass(frozen=True)
class ReportLink:
    """A report: its place in the store, or on the machine that ran it, and its address; a volume claim has none."""

    place: str
    url: str | None

    @property
    def is_public(self) -> bool:
        """Whether a browser on another machine opens it."""
        return self.url is not None and not self.url.startswith("file:")


def report_link(record: RunRecord) -> ReportLink | None:
    """Return where the report of a finished run is; None if there is no report."""
    path = Path(record.path or "") / REPORT
    if not path.exists():
        return None
    stored = record.upload.url if record.upload and record.upload.complete else None
    place = f"{stored}/{REPORT}" if stored else str(path)
    if base := os.environ.get(REPORTS_URL, "").rstrip("/"):
        return ReportLink(place, f"{base}/{record.run_id}/{REPORT}")
    if stored is None:
        return ReportLink(place, path.as_uri())
    return ReportLink(place, _signed(place) if stored.startswith(S3) else None)


def _signed(place: str) -> str | None:
    """Return an address that anybody may open for a week; None if it cannot be signed here."""
    from windtunnel.run.s3 import Bucket

    try:
        report = parse_object(place)
        return Bucket(report.bucket, "store_failed").link(report.key, LINK_SECONDS, "text/html; charset=utf-8")
    except PlatformError:
        return None

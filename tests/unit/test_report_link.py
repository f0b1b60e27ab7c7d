"""Where a report is opened: on the machine, where the store is published, or by a signed address of a bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from support.needs import package
from windtunnel.addresses import ObjectAddress
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.engines import run_upload
from windtunnel.engines.prefect.report_link import LINK_SECONDS, REPORT, REPORTS_URL, ReportLink, report_link
from windtunnel.errors import PlatformError
from windtunnel.run.record import RunRecord, Upload


@pytest.fixture
def record(run_recorded: Callable[..., RunRecord], single_node: str) -> RunRecord:
    """The record of a run that has a report."""
    made = run_recorded(single_node, RecordingBackend())
    (Path(made.path or "") / REPORT).write_text("<html>")
    return made


def stored(record: RunRecord, store: str, *, complete: bool = True) -> RunRecord:
    """Return a record of the same run, kept in a store."""
    upload = Upload(url=f"{store}/{record.run_id}", complete=complete)
    return record.model_copy(update={"upload": upload})


def test_a_report_in_a_bucket_is_opened_by_anybody_for_a_week(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser shows it, whatever the store takes it for; its signature is made here, and asks nobody."""
    package("boto3", "s3")
    for name, value in {"AWS_ACCESS_KEY_ID": "AK1", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store:9000")
    link = report_link(stored(record, "s3://bucket/nightly"))
    assert link
    assert link.url
    assert link.is_public
    address, key = urlsplit(link.url), f"nightly/{record.run_id}/report.html"
    asked = parse_qs(address.query)

    assert link.place == f"s3://bucket/{key}"
    assert (address.netloc, address.path) == ("store:9000", f"/bucket/{key}")
    assert asked["response-content-type"] == ["text/html; charset=utf-8"]
    assert asked["X-Amz-Expires"] == [str(LINK_SECONDS)]
    assert "hush" not in link.url


def test_a_report_elsewhere_is_opened_where_it_lies(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file of the machine; a claim has no address; where the store is published that is the one."""
    path, run = Path(record.path or "") / REPORT, record.run_id
    claim = stored(record, "pvc://claim/runs")
    assert report_link(record) == ReportLink(str(path), path.as_uri())
    assert report_link(stored(record, "s3://bucket", complete=False)) == ReportLink(str(path), path.as_uri())
    assert report_link(claim) == ReportLink(f"pvc://claim/runs/{run}/report.html", None)
    monkeypatch.setenv(REPORTS_URL, "https://bench.example/")
    found = report_link(claim)
    assert found
    assert (found.url, found.is_public) == (f"https://bench.example/{run}/report.html", True)
    path.unlink()
    assert report_link(claim) is None


class PlayedUpload:
    """A store that keeps what it was sent, and may be lost for the report."""

    target = "s3://bucket/run"

    def __init__(self, folder: Path, *, is_lost: bool) -> None:
        self.folder, self.is_lost = folder, is_lost
        self.sent: set[str] = set()
        self.records: list[str] = []

    def send(self, _control: object, *, but: tuple[str, ...] = ()) -> None:
        """Take the names of all files."""
        names = {path.name for path in self.folder.iterdir() if path.name not in but}
        if self.is_lost and REPORT in names:
            raise PlatformError("no answer", code="store_failed")
        self.sent |= names
        if "run.json" in names:
            self.records.append((self.folder / "run.json").read_text())

    def close(self) -> list[str]:
        """Leave nothing."""
        return []


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_report_is_made_and_stored_when_what_was_measured_is(
    run_recorded: Callable[..., RunRecord], single_node: str, monkeypatch: pytest.MonkeyPatch, *, is_lost: bool
) -> None:
    """A store that is away for the report alone costs the run nothing."""
    uploads: list[PlayedUpload] = []
    stored_before: list[bool] = []

    def opened(folder: object, *_more: object, **_options: object) -> PlayedUpload:
        uploads.append(PlayedUpload(folder.path, is_lost=is_lost))  # type: ignore[attr-defined]
        return uploads[0]

    def report(record: RunRecord) -> None:
        stored_before.append('"complete": true' in uploads[0].records[-1])
        (Path(record.path or "") / REPORT).write_text("<html>")

    monkeypatch.setattr(run_upload, "open_upload", opened)
    backend = RecordingBackend({"client": [Outcome(output="rate=1")]})
    record = run_recorded(single_node, backend, remote=ObjectAddress("bucket"), report=report)

    assert stored_before == [True]
    assert (REPORT in uploads[0].sent) is not is_lost
    assert (record.exit_code, record.upload and record.upload.complete) == (0, True)

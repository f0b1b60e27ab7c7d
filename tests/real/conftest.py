"""What the tests with real servers share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """A folder that the user postgres can reach too: the server refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="windtunnel-postgres-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)

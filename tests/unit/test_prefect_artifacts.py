"""What Prefect's UI is given as text is shown as text: it takes descriptions and tables for Markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.needs import package

package("prefect")

from windtunnel.backends.recording import Outcome, RecordingBackend  # noqa: E402
from windtunnel.engines.prefect import artifacts  # noqa: E402
from windtunnel.run.folder import RunFolder  # noqa: E402
from windtunnel.run.record import RunRecord  # noqa: E402

LINK = "[a](javascript:alert)"


def test_a_result_has_no_markdown_of_a_benchmarks(
    run_recorded: Callable[..., RunRecord], single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in a unit or in a message is not one; numbers stay numbers, and names as they are."""
    metric = f'[[metrics]]\nname = "p_99"\nunit = "{LINK}"\npattern = "rate=([0-9]+)"'
    backend = RecordingBackend({"client": [Outcome(output="rate=1")]})
    record = run_recorded(single_node.partition("[[metrics]]")[0] + metric, backend)
    folder = RunFolder(Path(record.path or ""))
    folder.write_record(record.model_copy(update={"reasons": [f"{LINK}\x1b[31m\r# x"]}))
    made: list[tuple[Any, str]] = []
    monkeypatch.setattr(
        artifacts, "create_table_artifact", lambda rows, *, key, description: made.append((rows, key + description))
    )
    artifacts.publish_result(folder)

    (((row,), description),) = made
    assert (row["metric"], row["unit"], row["mean"]) == ("p_99", r"\[a\](javascript:alert)", 1.0)
    assert r"\[a\](javascript:alert)# x" in description

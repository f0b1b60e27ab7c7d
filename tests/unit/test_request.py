"""What is refused before anything starts, because it cannot be done here."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel import extras
from windtunnel.addresses import ObjectAddress
from windtunnel.backends import make_backend
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.backends.recording import RecordingBackend
from windtunnel.benchmark import parse
from windtunnel.engines.request import Request, make_request
from windtunnel.errors import Unsupported, UsageError
from windtunnel.strategies import make_plan


def requested(text: str, store: str | None = None, backend: str = "recording") -> Request:
    """Return the request of a benchmark's text."""
    loaded = parse(text, Path("benchmark.toml"))
    return make_request(loaded, make_plan(loaded.benchmark), make_backend(backend), store)


def test_a_run_that_is_uploaded_has_a_folder_too(single_node: str) -> None:
    """It is the one that runs are kept in without a store."""
    made = requested(f'{single_node}\n[output]\nstore = "s3://bucket/prefix"')

    assert (made.store, made.remote) == (Path("runs"), ObjectAddress("bucket", "prefix"))


def test_a_folder_may_go_with_the_pod_of_its_driver(single_node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What starts the run, and how, does not matter."""
    assert not requested(single_node).is_volatile
    monkeypatch.setenv(POD, "flow-1")
    assert requested(single_node).is_volatile


def test_a_run_has_the_very_backend_that_it_was_checked_against(single_node: str) -> None:
    """An engine may have set it up in its own way, as Argo's does."""
    loaded, backend = parse(single_node, Path("benchmark.toml")), RecordingBackend()

    assert make_request(loaded, make_plan(loaded.benchmark), backend).backend is backend


def test_a_store_that_is_given_wins(single_node: str) -> None:
    """Over the benchmark's own."""
    made = requested(f'{single_node}\n[output]\nstore = "s3://bucket/prefix"', "elsewhere")

    assert (made.store, made.remote) == (Path("elsewhere"), None)


@pytest.mark.parametrize(
    ("store", "error", "words"),
    [
        ("gs://bucket", UsageError, "'gs://bucket' is not a store"),
        ("pvc://claim/x", Unsupported, "store pvc://claim/x: volume claims are Kubernetes's"),
    ],
)
def test_a_store_that_cannot_be_is_refused(
    single_node: str, store: str, error: type[UsageError | Unsupported], words: str
) -> None:
    """The message has the store and what to give instead."""
    with pytest.raises(error, match=words):
        requested(single_node, store)


@pytest.mark.parametrize(
    "tables", ['[output]\nstore = "s3://bucket"', '[[inputs]]\nsrc = "s3://bucket/x"\npath = "x"'], ids=["out", "in"]
)
def test_s3_without_its_extra_is_refused(single_node: str, tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'windtunnel\[aws\]'"):
        requested(f"{single_node}\n{tables}")

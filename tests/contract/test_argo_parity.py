"""One benchmark, three engines on a real cluster: the same events, metrics and verdict, and the same objects."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support import kubernetes_lab, prefect_home
from support.lab import Lab, Result
from support.needs import package
from support.parity import CASES, lines_in, shape_here
from windtunnel.strategies import STRATEGIES

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("cluster_empty", "nothing_left"), pytest.mark.timeout(600)]

QUICK = "client-server"
"""What `make test` compares; test-full compares all of them."""
ENGINES = {
    "inline": ("run", "--backend", "kubernetes"),
    "prefect": ("run", "--backend", "kubernetes", "--engine", "prefect"),
    "argo": ("submit", "--wait"),
}
"""The commands by which they run a benchmark; the first one is the reference."""


@pytest.fixture
def engines(lab: Lab, tmp_path: Path, argo: None) -> Lab:
    """A folder in which each engine works."""
    del argo
    kubernetes_lab.image()
    package("prefect")
    lab.env |= prefect_home.own_server(tmp_path / "prefect")
    lab.patience = 500
    return lab


def folder_of(lab: Lab, result: Result) -> Path:
    """Return the folder of a run."""
    return lab.path / "runs" / str(result.record["run_id"])


def notes(lab: Lab, result: Result) -> list[str]:
    """Return what a run noted, such as what went wrong as it was taken down: why its events are others."""
    return [line["message"] for line in lines_in(folder_of(lab, result)) if line["type"] == "note"]


def shape_of(lab: Lab, result: Result) -> dict[str, Any]:
    """Return what has to be the same on every engine."""
    return shape_here(result.record, folder_of(lab, result))


def objects(pods: dict[str, dict[str, Any]], run_id: str) -> set[str]:
    """Return the run's pods by their names, the client's and the engine's own left out."""
    salt = kubernetes_lab.salt(run_id)
    names = {name.partition(f"-{salt}")[0] for name in pods if f"-{salt}" in name}
    return names - {"client"}


def test_every_strategy_is_compared() -> None:
    """None is forgotten."""
    assert STRATEGIES.keys() <= CASES.keys()


@pytest.mark.parametrize(
    "case", [QUICK, *(pytest.param(case, marks=pytest.mark.full) for case in CASES if case != QUICK)]
)
def test_engines_give_on_a_cluster_what_the_reference_gives(engines: Lab, case: str) -> None:
    """Events, phases, logs, artifacts, metrics and verdict are the inline engine's; nothing of any of them is left.

    What is run has nothing to do with Prefect, which runs one case.
    """
    compare(engines, case, *(name for name in ENGINES if name != "prefect" or case == QUICK))


@pytest.mark.full
@pytest.mark.parametrize("case", [case for case in CASES if case != QUICK])
def test_prefect_gives_on_a_cluster_what_the_reference_gives(engines: Lab, case: str) -> None:
    """Each strategy, whatever it is run with."""
    compare(engines, case, "inline", "prefect")


def compare(lab: Lab, case: str, reference: str, *others: str) -> None:
    """Run a case by all of these engines at once, and compare the others with the reference."""
    file = str(lab.write(CASES[case]()))
    with kubernetes_lab.seen_pods() as pods, ThreadPoolExecutor() as pool:
        names = (reference, *others)
        commands = [(ENGINES[name][0], file, *ENGINES[name][1:], "--json") for name in names]
        found = dict(zip(names, pool.map(lambda command: lab.call(*command), commands), strict=True))
    for name, result in found.items():
        assert result.exit_code == 0, f"{name}: {result.stderr}"
        assert (result.record["engine"], result.record["backend"]) == (name, "kubernetes")
    expected = found[reference]
    for name in others:
        why = f"{name}: {notes(lab, found[name])}; {reference}: {notes(lab, expected)}"
        assert shape_of(lab, found[name]) == shape_of(lab, expected), why
        assert objects(pods, found[name].record["run_id"]) == objects(pods, expected.record["run_id"]), why
        shown = lab.call("show", found[name].record["run_id"], "--json")
        assert json.loads(shown.stdout)["metrics"] == found[name].record["metrics"]

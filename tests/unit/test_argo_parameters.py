"""Parameters of a workflow that mean something else than their user may think are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windtunnel.benchmark import parse
from windtunnel.content import sample
from windtunnel.engines.argo.drive import check
from windtunnel.engines.argo.parameter_values import benchmark_of, flag_of
from windtunnel.engines.argo.parameters import WorkflowParameters, check_plan, ported
from windtunnel.errors import Unsupported, UsageError
from windtunnel.strategies import make_plan


class Untouched:
    """A cluster that nobody may ask."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.mark.parametrize(
    "given",
    ["configmap/../secrets/keys", "configmap/", "secret/../../other/secrets/keys", "secret/a?b", "configmap/a%2Fb"],
)
def test_an_object_is_named_and_no_path_of_the_api(given: str) -> None:
    """With a path, a ConfigMap could be a Secret, whose text is not kept as one, or that of another namespace."""
    cluster: Any = Untouched()
    with pytest.raises(UsageError, match=f"benchmark: .*; write it like {given.partition('/')[0]}/NAME, of this"):
        benchmark_of(given, cluster)


@pytest.mark.parametrize(
    ("given", "is_on"), [("true", True), (" True\n", True), ("false", False), ("False", False), ("", False)]
)
def test_a_flag_is_true_or_false(given: str, is_on: bool) -> None:  # noqa: FBT001
    """As YAML and people write it."""
    assert flag_of("strict", given) is is_on


@pytest.mark.parametrize("given", ["yes", "1", "on", "treu"])
def test_a_flag_that_is_neither_is_refused(given: str) -> None:
    """It passed for false: a suspect result was none that fails."""
    with pytest.raises(UsageError, match=f"strict: '{given}' is neither true nor false"):
        flag_of("strict", given)


def test_iterations_of_an_older_run_are_refused() -> None:
    """`argo resubmit --memoized` takes them over: the driver would wait for pods that are not made."""
    loaded = parse(sample("client-server"), Path("x"))
    given = WorkflowParameters(
        loaded,
        ported(make_plan(loaded.benchmark)),
        "bench-1",
        None,
        is_strict=False,
        is_fetched=False,
        workflow="w",
        image="i",
        planned=None,
    )
    node = {"id": "a", "type": "Skipped", "phase": "Skipped", "message": "original pod: w-1"}
    with pytest.raises(UsageError, match="without --memoized"):
        check(given, {"metadata": {"name": "w"}, "status": {"nodes": {"a": node}}})

    check(given, {"metadata": {"name": "w"}, "status": {"nodes": {"a": node | {"phase": "Pending"}}}})


def test_a_client_without_an_image_is_refused_before_its_pod_is_planned() -> None:
    """In a pod of the workflow, too: Argo would make a pod that the API refuses."""
    loaded = parse(sample("single-node").replace('image = "windtunnel-samples"\n', ""), Path("x"))
    with pytest.raises(Unsupported, match="client: the kubernetes backend needs an image"):
        check_plan(make_plan(loaded.benchmark))

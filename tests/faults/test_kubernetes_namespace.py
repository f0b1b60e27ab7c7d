"""A namespace that lacks something or forbids it: exit 3, told at once in the cluster's words, and nothing left."""

from __future__ import annotations

from typing import Any

import pytest

from support.docker_lab import client_server
from support.kubernetes_faults import Fault, installed, namespace, write_kubeconfig
from windtunnel.backends.kubernetes.install import RUNNER, manifests

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(300)]
full = pytest.mark.full
NO_IMAGE = "127.0.0.1:9/nothing:1"


def quota(hard: dict[str, str]) -> dict[str, Any]:
    """Return a ResourceQuota."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little"}, "spec": {"hard": hard}}


def without(resource: str) -> dict[str, Any]:
    """Return the role of those who run benchmarks, without one of its rights."""
    (role,) = (each for each in manifests("any") if each["kind"] == "Role" and each["metadata"]["name"] == RUNNER)
    rules = [each | {"resources": [name for name in each["resources"] if name != resource]} for each in role["rules"]]
    metadata = {"name": RUNNER}
    return role | {"metadata": metadata, "rules": [each for each in rules if each["resources"]]}


@pytest.mark.parametrize(
    ("hard", "words"),
    [
        # Room for one pod: the server's or the warden's, whichever comes first.
        ({"pods": "1"}, "exceeded quota: little"),
        pytest.param({"pods": "0"}, "exceeded quota: little", marks=full),
        pytest.param({"count/services": "0"}, "making the run's warden: ", marks=full),
        pytest.param({"count/jobs.batch": "0"}, "making the run's warden: ", marks=full),
        pytest.param({"limits.memory": "1Gi"}, "must specify limits.memory", marks=full),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_quota_is_told_in_its_words(fault: Fault, hard: dict[str, str], words: str) -> None:
    """Whatever it limits, and whether it is a step or the warden that there is no room for."""
    with installed(fault, quota(hard)):
        assert words in fault.ended(fault.run(client_server()), 3, "quota")


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (None, "making the run's warden: jobs.batch is forbidden"),
        pytest.param("jobs", "making the run's warden: jobs.batch is forbidden", marks=full),
        pytest.param("leases", "leases.coordination.k8s.io", marks=full),
        pytest.param("pods", 'cannot list resource "pods"', marks=full),
        pytest.param("pods/exec", 'cannot get resource "pods/exec"', marks=full),
        pytest.param("pods/log", 'cannot get resource "pods/log"', marks=full),
        pytest.param("services", "cannot", marks=full),
    ],
)
def test_what_a_user_may_not_do_is_told(fault: Fault, resource: str | None, words: str) -> None:
    """Without any right, or with all that a runner has but one."""
    with installed(fault, *([without(resource)] if resource else [])):
        config = fault.lab.path / "kubeconfig"
        write_kubeconfig(config, fault.namespace, RUNNER if resource else "default")
        fault.lab.env = fault.lab.env | {"KUBECONFIG": str(config)}
        assert words in fault.ended(fault.run(client_server()), 3, "forbidden")


def test_a_namespace_without_the_wardens_account_is_told_what_to_do(fault: Fault) -> None:
    """The words name the command that makes it."""
    with namespace(fault):
        message = fault.ended(fault.run(client_server()), 3, "not_installed")

        assert f"windtunnel install kubernetes --namespace {fault.namespace}" in message


@full
def test_a_namespace_that_does_not_exist_is_told(fault: Fault) -> None:
    """By its name."""
    fault.use("windtunnel-nowhere")
    message = fault.ended(fault.run(client_server()), 3, "not_installed", "removed")

    assert "windtunnel-nowhere" in message


def test_a_runner_image_that_cannot_be_had_is_told(fault: Fault) -> None:
    """It is the run's own image, not a step's, and the words say so."""
    fault.lab.env = fault.lab.env | {"WINDTUNNEL_RUNNER_IMAGE": NO_IMAGE}
    message = fault.ended(fault.run(client_server()), 3, "image_pull")

    assert f"has no image {NO_IMAGE}" in message
    assert "WINDTUNNEL_RUNNER_IMAGE" in message

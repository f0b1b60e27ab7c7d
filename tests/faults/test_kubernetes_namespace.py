"""A namespace that lacks something or forbids it: exit 3, told at once in the cluster's words, and nothing left."""

from __future__ import annotations

from typing import Any

import pytest

from support.docker_lab import client_server
from support.kubernetes_faults import NO_IMAGE, Fault, installed, namespace, write_kubeconfig
from windtunnel.backends.kubernetes.install import manifests
from windtunnel.backends.kubernetes.settings import ACCOUNT, RUNNER

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]
full = pytest.mark.full


def quota(hard: dict[str, str]) -> dict[str, Any]:
    """Return a ResourceQuota."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little"}, "spec": {"hard": hard}}


def without(resource: str, *verbs: str) -> dict[str, Any]:
    """Return the role of those who run benchmarks, without some verbs on a resource, or without all."""
    (role,) = (each for each in manifests("any") if each["kind"] == "Role" and each["metadata"]["name"] == RUNNER)
    rules = []
    for rule in role["rules"]:
        rules.append(rule | {"resources": [name for name in rule["resources"] if name != resource]})
        if resource in rule["resources"]:
            rules.append(
                rule | {"resources": [resource], "verbs": [verb for verb in rule["verbs"] if verb not in verbs]}
            )
            rules[-1]["verbs"] = rules[-1]["verbs"] if verbs else []
    rules = [rule for rule in rules if rule["resources"] and rule["verbs"]]
    return role | {"metadata": {"name": RUNNER}, "rules": rules}


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
    ("missing", "words"),
    [
        ((), "making the run's warden: jobs.batch is forbidden"),
        *(
            pytest.param(missing, words, marks=full)
            for missing, words in {
                ("jobs",): "making the run's warden: jobs.batch is forbidden",
                ("leases",): "making the run's warden: leases.coordination.k8s.io",
                ("services",): "making the run's warden: services",
                ("pods",): "server: its pod: pods is forbidden",
                ("pods", "list", "watch"): "watching the run's Pods: pods is forbidden",
                ("pods/exec",): 'cannot get resource "pods/exec"',
                ("pods/log",): 'server: reading its output: pods "server-',
            }.items()
        ),
    ],
    ids=lambda value: "-".join(value) or "everything" if isinstance(value, tuple) else "",
)
def test_what_a_user_may_not_do_is_told(fault: Fault, missing: tuple[str, ...], words: str) -> None:
    """Without any right, or with all that a runner has but one."""
    with installed(fault, *([without(*missing)] if missing else [])):
        use_account(fault, RUNNER if missing else "default")
        assert words in fault.ended(fault.run(client_server()), 3, "forbidden")


@full
def test_an_account_that_vanishes_is_told_though_nobody_may_look_for_it(fault: Fault) -> None:
    """The warden's Job has no pod then, which only the cluster's events tell."""
    with installed(fault, without("serviceaccounts")):
        use_account(fault, RUNNER)
        fault.delete("serviceaccount", ACCOUNT)
        assert "the run's warden has no pod: " in fault.ended(fault.run(client_server()), 3, "not_installed")


def use_account(fault: Fault, account: str) -> None:
    """Have a fault's runs started by a service account."""
    config = fault.lab.path / "kubeconfig"
    write_kubeconfig(config, fault.namespace, account)
    fault.lab.env = fault.lab.env | {"KUBECONFIG": str(config)}


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

"""What a namespace needs, made by somebody who may not make all of it; and a Job that is run for what it says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes.client import ApiClient

from windtunnel.backends.kubernetes import install
from windtunnel.backends.kubernetes.api import FORBIDDEN, NOT_FOUND, Cluster, Refused
from windtunnel.backends.kubernetes.job_run import run_job
from windtunnel.engines.prefect.job_template import job_template
from windtunnel.engines.prefect.pod_check import check_from_pod
from windtunnel.errors import PlatformError, UsageError

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
URL = "http://prefect-server:4200/api"


@dataclass(frozen=True)
class Guarded(Cluster):
    """A cluster where some kinds of objects may not be made.

    Attributes:
        guarded: The kinds.
        there: Objects that are there, by their path.
    """

    guarded: frozenset[str] = frozenset()
    there: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, *_arguments: object, **_options: object) -> Any:
        """Refuse to make what is guarded, and show what is there."""
        if method == "APPLY" and body["kind"] in self.guarded:
            raise Refused(FORBIDDEN, f"{path} is forbidden")
        if method == "GET" and path not in self.there:
            raise Refused(NOT_FOUND, "not found")
        return self.there.get(path)


@contextlib.contextmanager
def guarded(*kinds: str, there: dict[str, Any] | None = None) -> Iterator[Cluster]:
    """Lend such a cluster."""
    with ApiClient() as api:
        there = {"/api/v1/namespaces/bench": {}} | (there or {})
        yield Guarded(api, "bench", "here", guarded=frozenset(kinds), there=there)


def lines(cluster: Cluster) -> list[str]:
    """Return what is told of each object that is made."""
    return list(install.apply(cluster, install.manifests("bench")))


def test_who_has_rights_in_a_namespace_alone_installs_without_the_cluster_wide_part() -> None:
    """It is told what is left out, and what that means."""
    with guarded(*CLUSTER_WIDE) as cluster:
        found = lines(cluster)

    assert len(found) == len(install.manifests("bench"))
    assert [line for line in found if "left out" in line] == [
        f"{kind} {name} (left out, since you may not make it: runs do not look at nodes)"
        for kind, name in (("ClusterRole", install.NODES), ("ClusterRoleBinding", f"{install.NODES}-bench"))
    ]


def test_what_an_administrator_has_made_is_left_as_it_is() -> None:
    """A user who may not make roles goes on with those that are there, if they are as they are to be."""
    made = {install.path_of(each): each | {"metadata": {"uid": "1"}} for each in install.manifests("bench")}
    with guarded("Role", "RoleBinding", *CLUSTER_WIDE, there=made) as cluster:
        found = lines(cluster)

    assert sum("is there; left as it is" in line for line in found) == 6


def test_a_role_that_is_missing_or_another_is_for_an_administrator_to_apply() -> None:
    """The cluster's words, and the way out."""
    other = {install.path_of(each): each | {"rules": []} for each in install.manifests("bench")}
    with (
        guarded("Role", there=other) as cluster,
        pytest.raises(PlatformError, match=r"windtunnel-warden is forbidden; an administrator may apply .* --print"),
    ):
        lines(cluster)


class OneJob:
    """A cluster whose Jobs have a pod each, that ends like this; or that may not be made."""

    namespace = "bench"

    def __init__(self, ended: dict[str, Any], output: bytes = b"", refusal: Refused | None = None) -> None:
        self.ended, self.output, self.refusal = ended, output, refusal
        self.deleted = list[str]()

    def create(self, _job: object) -> None:
        """Make a Job, or refuse to."""
        if self.refusal:
            raise self.refusal

    def delete(self, _kind: str, name: str) -> None:
        """Note that it was deleted."""
        self.deleted.append(name)

    def find(self, _kind: str, _selector: str) -> list[dict[str, Any]]:
        """Return its pod."""
        status = {"containerStatuses": [{"name": "prefect-job", "state": {"terminated": self.ended}}]}
        return [{"metadata": {"name": "pod"}, "spec": {}, "status": status}]

    def path(self, _kind: str, name: str) -> str:
        """Return where its pod is."""
        return name

    def open(self, *_arguments: object, **_options: object) -> SimpleNamespace:
        """Return its output."""
        return SimpleNamespace(data=self.output)

    def retry(self, act: Any) -> Any:
        """Ask once."""
        return act()


def checked(cluster: OneJob) -> None:
    """Have a pod of the cluster ask for Prefect's API."""
    check_from_pod(cast("Cluster", cluster), job_template(namespace="bench", image="odd", api_url=URL))


def test_an_image_without_windtunnel_is_told_in_the_clusters_words() -> None:
    """Its container never began, so it wrote nothing: the runtime says why."""
    words = 'exec: "python": executable file not found in $PATH'
    with pytest.raises(UsageError, match="executable file not found"):
        checked(OneJob({"exitCode": 128, "reason": "StartError", "message": words}))


def test_what_a_container_wrote_is_told_before_what_the_cluster_says() -> None:
    """The program knows best."""
    job = job_template(namespace="bench")["job_configuration"]["job_manifest"]
    cluster = OneJob({"exitCode": 1, "message": "Error"}, b"no way\n")
    end = run_job(cast("Cluster", cluster), job | {"metadata": {"name": "check"}}, 5)

    assert (end.code, end.words) == (1, "no way")
    assert cluster.deleted == ["check"]


def test_a_user_who_may_make_no_job_is_not_told_of_an_address() -> None:
    """It is the cluster's refusal, exit 3, and says nothing of the address or the image."""
    with pytest.raises(PlatformError, match=r"jobs\.batch is forbidden") as caught:
        checked(OneJob({}, refusal=Refused(FORBIDDEN, "jobs.batch is forbidden")))

    assert caught.value.code == "forbidden"
    assert URL not in caught.value.message

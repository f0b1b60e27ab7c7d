"""The test cluster's own logic: keys, states, contexts; without Docker and without a cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster import build, docker, images, kubeconfig, lock, places, programs, shell, state
from cluster.docker import CONTROL_PLANE, Container, Node
from support.needs import lacking


def test_the_key_depends_on_names_and_contents_and_not_on_order() -> None:
    """The same files make the same key; a name or a byte more makes another one."""
    key = programs.key_of({"a": b"1", "b": b"2"})
    assert key == programs.key_of({"b": b"2", "a": b"1"})
    others = [{"a": b"1", "b": b"3"}, {"a": b"1", "c": b"2"}, {"a": b"1b2"}, {"a": b"1", "b": b"2", "c": b""}]
    assert key not in {programs.key_of(other) for other in others}
    assert len({programs.key_of(other) for other in others}) == len(others)


def test_the_build_key_covers_versions_sums_and_recipe() -> None:
    """What programs are built from is in their key; what nodes are started from only in the cluster's."""
    files = programs.contents(*programs.RECIPE)
    assert {"programs.toml", "build.py", "go/kube/go.sum", "go/argo/go.mod", "go/pause/main.go"} <= set(files)
    assert not [name for name in files if name.startswith(("nodes", "manifests"))]
    assert programs.build_key() != programs.cluster_key()


@pytest.mark.parametrize("group", [group for group in programs.groups() if group.locked], ids=lambda group: group.name)
def test_each_go_mod_agrees_with_the_file_of_versions(group: programs.Group) -> None:
    """``programs.toml`` is where versions are changed; `python -m cluster lock` carries them into go.mod."""
    lines = (group.folder / "go.mod").read_text().replace("require ", "").splitlines()
    assert f"{group.module} {group.version}" in [line.strip() for line in lines]


def test_programs_are_named_after_their_folder_or_their_group() -> None:
    """As they are called in the cluster."""
    assert set(programs.names()) >= {"kube-apiserver", "kubelet", "kubectl", "etcd", "coredns", "kwok", "argoexec"}
    assert len(programs.names()) == len(set(programs.names()))


def test_stamps_hold_the_version() -> None:
    """Kubernetes' programs report the version that they are built from."""
    table: dict[str, object] = {
        "module": "m",
        "version": "v1.35.4",
        "packages": ["cmd/x"],
        "stamps": ["a={version}", "b={minor}"],
    }
    group = programs.group_from("m", table)
    assert group.linker_flags == "-s -w -X a=v1.35.4 -X b=35"
    assert group.programs == (programs.Program("x", "m/cmd/x"),)


def test_replacements_are_of_published_modules_only() -> None:
    """Folders beside a module's own are taken by version; Kubernetes' v0.0.0 by the version it publishes."""
    go_mod = {
        "Require": [{"Path": "k8s.io/api", "Version": "v0.0.0"}, {"Path": "example.org/x", "Version": "v1.0.0"}],
        "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.org/x"}, "New": {"Path": "example.org/y", "Version": "v2.0.0"}},
        ],
    }
    found = lock.replacements(go_mod, "v1.35.4")
    assert found == {"k8s.io/api": "k8s.io/api@v0.35.4", "example.org/x": "example.org/y@v2.0.0"}


def cluster(
    nodes: int, *, key: str = "k", stopped: tuple[str, ...] = (), missing: tuple[str, ...] = ()
) -> list[Container]:
    """Return the containers of a cluster, some of them stopped or missing."""
    names = [CONTROL_PLANE, *(f"windtunnel-node{number}" for number in range(1, nodes + 1))]
    return [Container(name, name not in stopped, key, nodes) for name in names if name not in missing]


@pytest.mark.parametrize(
    ("found", "nodes", "why"),
    [
        ([], None, "there is no cluster"),
        (cluster(2), None, None),
        (cluster(2), 2, None),
        (cluster(3), None, None),
        (cluster(2), 3, "it has 2 workers, and 3 are asked for"),
        (cluster(1), 2, "it has 1 worker, and 2 are asked for"),
        (cluster(2, key="old"), 2, "it is from another recipe or other versions (old; now k)"),
        (cluster(2, stopped=("windtunnel-node2",)), 2, "it is half up: windtunnel-node2 stopped"),
        (cluster(2, missing=("windtunnel-node1",)), None, "it is half up: windtunnel-node1 missing"),
        (cluster(2, missing=(CONTROL_PLANE,)), None, f"it is half up: {CONTROL_PLANE} missing"),
    ],
)
def test_a_cluster_is_kept_only_whole_and_as_asked_for(
    found: list[Container], nodes: int | None, why: str | None
) -> None:
    """What is half up, of other versions or another size is made anew, and up says why."""
    assert state.why_anew(found, "k", nodes) == why


def test_containers_are_read_from_what_docker_lists() -> None:
    """Their order is the nodes' order; a label of somebody else's does no harm."""
    rows = [
        {"Names": "windtunnel-node10", "State": "exited", "Labels": "windtunnel.cluster=k,windtunnel.nodes=10"},
        {"Names": "windtunnel-node2", "State": "running", "Labels": "a,windtunnel.nodes=10,windtunnel.cluster=k,b=c=d"},
    ]
    found = docker.parse("\n".join(map(json.dumps, rows)))
    assert found == [
        Container("windtunnel-node2", running=True, key="k", nodes=10),
        Container("windtunnel-node10", running=False, key="k", nodes=10),
    ]
    assert docker.parse("") == []


def test_what_is_sick_is_named() -> None:
    """Nodes that are not Ready or not there, add-ons that are not available, metrics that do not answer."""

    def thing(name: str, condition: str, status: str, namespace: str = "kube-system") -> dict[str, object]:
        """Return a Kubernetes object with one condition."""
        metadata = {"name": name, "namespace": namespace}
        return {"metadata": metadata, "status": {"conditions": [{"type": condition, "status": status}]}}

    nodes = {
        "items": [thing("node1", "Ready", "True"), thing("node2", "Ready", "Unknown"), thing("kwok-0", "Ready", "True")]
    }
    assert state.sick_nodes(nodes, 3) == ["node2 is not Ready", "node3 is not Ready"]
    add_ons = {
        "items": [thing("coredns", "Available", "True"), thing("metrics-server", "Available", "True", "elsewhere")]
    }
    assert state.sick_deployments(add_ons) == [
        "metrics-server is not available",
        "workflow-controller is not available",
    ]
    assert state.sick_service(thing("metrics", "Available", "True")) == []
    assert state.sick_service({"status": {}}) == ["metrics.k8s.io does not answer"]


def test_nodes_addresses_follow_their_numbers() -> None:
    """The scripts in the nodes count on these."""
    assert [Node(number, "172.30.86", 2).address for number in (0, 1, 2)] == [
        "172.30.86.2",
        "172.30.86.11",
        "172.30.86.12",
    ]
    assert Node(2, "172.30.86", 2).pods == "10.244.2.0/24"
    assert Node(0, "172.30.86", 2).container == CONTROL_PLANE


def test_removing_the_context_names_only_what_is_there_and_ours() -> None:
    """Other contexts are not touched, and the current one only if it is ours."""
    theirs = {"contexts": [{"name": "work"}], "clusters": None, "current-context": "work"}
    assert kubeconfig.removals(theirs) == []
    ours = {
        "contexts": [{"name": "work"}, {"name": "windtunnel"}],
        "users": [{"name": "windtunnel"}],
        "current-context": "windtunnel",
    }
    assert kubeconfig.removals(ours) == [
        ["delete-context", "windtunnel"],
        ["delete-user", "windtunnel"],
        ["unset", "current-context"],
    ]


@pytest.mark.long
def test_the_context_comes_and_goes_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real kubectl: a colleague's context is after `down` as it was before `up`."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        lacking("kubectl is not installed", "kubernetes")
    monkeypatch.setattr(places, "kubectl", lambda: Path(kubectl))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    kubeconfig.config([["set-cluster", "work", "--server=https://work"], ["set-context", "work", "--cluster=work"]])
    kubeconfig.config([["use-context", "work"]])
    before = kubeconfig.read()
    for part in ("ca.crt", "client.crt", "client.key"):
        (tmp_path / part).write_text(part)
    kubeconfig.config(kubeconfig.edits("https://172.30.86.2:6443", tmp_path))
    with_ours = kubeconfig.read()
    assert with_ours["current-context"] == "windtunnel"
    assert {each["name"] for each in with_ours["clusters"]} == {"work", "windtunnel"}
    assert kubeconfig.edits("https://172.30.86.2:6443", tmp_path)[-1] == ["use-context", "windtunnel"]
    kubeconfig.remove_context()
    assert {each["name"] for each in kubeconfig.read()["clusters"]} == {each["name"] for each in before["clusters"]}
    assert kubeconfig.read()["contexts"] == before["contexts"]
    assert not kubeconfig.read()["users"]


def test_half_a_build_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program counts when it has its name, and the folder when it has all of them and Argo's manifests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    places.binary("").mkdir(parents=True)
    assert build.missing_programs() == programs.names()
    build.parts().mkdir()
    for name in programs.names():
        (build.parts() / name).touch()
    assert build.missing_programs() == programs.names()
    for name in programs.names()[1:]:
        places.binary(name).touch()
    assert build.missing_programs() == programs.names()[:1]
    places.binary(programs.names()[0]).touch()
    assert build.missing_programs() == ["the manifests of Argo"]
    build.argo_manifests().mkdir()
    assert build.missing_programs() == []


def test_one_line_says_that_docker_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to do instead."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(shell.Failed, match=r"needs Docker.*KUBECONFIG") as caught:
        docker.require()
    assert "\n" not in str(caught.value)


def test_a_failed_command_shows_its_last_lines() -> None:
    """And its status; a time-out and a missing program are told apart."""
    with pytest.raises(shell.Failed, match=r"exit 3\n    why"):
        shell.run(["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(shell.Failed, match="not done in 0 s"):
        shell.run(["sleep", "9"], timeout=0.05)
    with pytest.raises(shell.Failed, match="no-such-program is not installed"):
        shell.run(["no-such-program"])


def test_one_process_at_a_time_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is the kernel's, so a killed process leaves none behind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "windtunnel" / "x.lock"
    with places.locked("x"):
        assert subprocess.run(["flock", "--nonblock", file, "true"], check=False).returncode == 1
    assert subprocess.run(["flock", "--nonblock", file, "true"], check=False).returncode == 0


def test_an_image_is_built_again_when_what_it_copies_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples' image has nothing of Windtunnel, so a change of its code leaves it alone."""
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    (tmp_path / "src" / "__pycache__").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("1")
    (tmp_path / "requirements.lock").write_text("locust==1")
    before = {image: images.source_key(image) for image in images.PROJECT}
    (tmp_path / "src" / "__pycache__" / "a.pyc").write_text("1")
    assert {image: images.source_key(image) for image in images.PROJECT} == before
    (tmp_path / "src" / "a.py").write_text("2")
    assert images.source_key("windtunnel") != before["windtunnel"]
    assert images.source_key("windtunnel-samples") == before["windtunnel-samples"]
    (tmp_path / "requirements.lock").write_text("locust==2")
    assert images.source_key("windtunnel-samples") != before["windtunnel-samples"]


@pytest.mark.parametrize(
    ("version", "message"),
    [("go1.19.8", "in PATH there is go1.19.8"), ("none", "in PATH there is none"), ("go1.26.0", None), ("go2.0", None)],
)
def test_a_go_that_is_too_old_is_told(
    version: str, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is built; what is newer will do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if version != "none":
        program = tmp_path / "go"
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    if message is None:
        build.require_go()
    else:
        with pytest.raises(shell.Failed, match=message):
            build.require_go()


def test_programs_are_found_under_the_names_that_go_gives_them() -> None:
    """The last part of a package, or the one before it where that is a major version."""
    executables = {program.name: program.executable for group in programs.groups() for program in group.programs}
    assert executables["etcd"] == "server"
    assert executables["kubelet"] == "kubelet"
    assert executables["coredns"] == "coredns"

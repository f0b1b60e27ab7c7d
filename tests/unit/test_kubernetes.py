"""What the kubernetes backend makes of plans, and of what a cluster tells: no cluster is asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.backends import make_backend
from windtunnel.backends.agent import request_handlers
from windtunnel.backends.agent.collector import unpack
from windtunnel.backends.agent.places import token_for
from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.affinity import Placing
from windtunnel.backends.kubernetes.container_spec import ContainerSpec
from windtunnel.backends.kubernetes.install import manifests as rights
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.pod_spec import Companions, fetcher_arguments, pod
from windtunnel.backends.kubernetes.pods import PodView, Trouble
from windtunnel.backends.kubernetes.settings import lease_seconds, runner_image
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.support import check_support
from windtunnel.errors import Unsupported, UsageError
from windtunnel.plan import Job, Plan, Probe, Program, Readiness, Service

READY = Readiness(probe=Probe(kind="tcp"), within=5)


def plan(*steps: Service | Job, labels: dict[str, str] | None = None) -> Plan:
    """Return a plan of these steps."""
    return Plan(benchmark="bench", strategy="client-server", timeout=60, steps=steps, labels=labels or {})


def service(**keys: Any) -> Service:
    """Return a server."""
    program = keys.pop("program", Program(command=("serve",), image="image"))
    return Service(**{"name": "server", "program": program, "ready": READY, "port": 80} | keys)


def naming(labels: dict[str, str] | None = None) -> Naming:
    """Return the names of a run."""
    steps = service(), Job(name="client", program=Program(command=("measure",), image="image"))
    return Naming.of(RunLabels("bench-20260101-000000-abcd", plan(*steps, labels=labels), 0))


def made(container: ContainerSpec, placing: Placing | None = None, *others: ContainerSpec) -> dict[str, Any]:
    """Return a pod of some containers."""
    around = Companions("runner", 20)
    return pod(naming(), "name", [container, *others], placing or Placing(), around)


def client(program: Program | None = None, **keys: Any) -> ContainerSpec:
    """Return a client's container."""
    program = program or Program(command=("measure",), image="image")
    given: dict[str, Any] = {"argv": ["measure"], "env": {}} | keys
    return ContainerSpec(name="client", program=program, **given)


def status(**container: Any) -> PodView:
    """Return a pod whose container has some status."""
    return PodView({"metadata": {}, "status": {"containerStatuses": [{"name": "client", "image": "i"} | container]}})


def waiting(reason: str, message: str = "") -> PodView:
    """Return a pod whose container waits."""
    return status(state={"waiting": {"reason": reason, "message": message}})


@pytest.mark.parametrize(
    ("view", "code", "is_transient"),
    [
        (waiting("ImagePullBackOff", "Back-off pulling"), "image_pull", False),
        (waiting("ErrImagePull", "i: not found"), "image_pull", False),
        (waiting("ErrImagePull", "dial tcp: i/o timeout"), "image_pull", True),
        (waiting("InvalidImageName"), "image_pull", False),
        (waiting("CreateContainerConfigError", "no such secret"), "container_failed", True),
        (waiting("RunContainerError", 'exec: "x": executable file not found in $PATH'), "command_not_found", False),
        (
            status(state={"terminated": {"reason": "StartError", "message": 'exec: "/x": permission denied'}}),
            "command_not_runnable",
            False,
        ),
        (
            PodView(
                {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}
            ),
            "unschedulable",
            True,
        ),
        (PodView({"status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}), "evicted", False),
        (PodView({"metadata": {"deletionTimestamp": "x"}}), "removed", False),
    ],
)
def test_a_pod_that_will_not_start_says_why(view: PodView, code: str, *, is_transient: bool) -> None:
    """The API's own reason becomes a cause; what may pass by itself is told apart."""
    trouble = view.trouble()

    assert trouble is not None
    assert (trouble.code, trouble.is_transient) == (code, is_transient)


def test_the_words_of_the_scheduler_and_of_an_eviction_are_kept() -> None:
    """They name what is lacking better than any code."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: cpu"}
    evicted = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drained"}

    unschedulable = PodView({"status": {"conditions": [condition]}}).trouble()
    assert unschedulable is not None
    assert unschedulable.words == "cannot be scheduled: 0/2 nodes: cpu"
    assert PodView({"status": {"conditions": [evicted]}}).disruption() == Trouble("evicted", "was evicted: drained")


@pytest.mark.parametrize("view", [PodView(), waiting("ContainerCreating"), waiting("PodInitializing")])
def test_a_pod_that_is_on_its_way_has_no_trouble(view: PodView) -> None:
    """Nor has one of which nothing was told yet."""
    assert view.trouble() is None


def test_a_container_that_was_started_again_has_ended() -> None:
    """How it ended the first time is what counts."""
    ended = {"exitCode": 3, "reason": "Error"}
    view = status(restartCount=1, state={"running": {}}, lastState={"terminated": ended})

    assert view.terminated("client") == ended
    assert status(state={"running": {}}).terminated("client") is None


@given(st.text(st.characters(codec="ascii")))
def test_dollars_reach_a_container_as_they_were_written(text: str) -> None:
    """Kubernetes takes ``$$`` for a dollar and ``$(NAME)`` for a variable: expanded, the text is as before."""
    container = made(client(argv=[text], env={"A": text, "NAME": "value"}))["spec"]["containers"][0]

    def expand(escaped: str) -> str:
        return re.sub(r"\$\$|\$\(NAME\)", lambda match: "$" if match[0] == "$$" else "value", escaped)

    assert expand(container["command"][0]) == text
    assert expand(container["env"][0]["value"]) == text


def test_a_step_gets_no_account_and_may_not_gain_privileges() -> None:
    """Whatever it runs cannot talk to the cluster's API in anybody's name."""
    spec = made(client())["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False}


def test_resources_are_requests_and_limits() -> None:
    """CPU in thousandths of a core, memory in bytes, GPUs as their device plugin calls them; nothing if not asked."""
    program = Program(command=("x",), image="i", cpu=0.5, memory=2**20, gpu=2)
    wanted = {"cpu": "500m", "memory": "1048576", "nvidia.com/gpu": "2"}

    assert made(client(program))["spec"]["containers"][0]["resources"] == {"requests": wanted, "limits": wanted}
    assert made(client())["spec"]["containers"][0]["resources"] == {}


def test_apart_is_an_affinity_that_has_to_be_kept_and_the_last_node_one_that_should() -> None:
    """A client that may share its server's node would not measure the network."""
    affinity = made(client(), Placing(away_from=["server"], zone="z", node="n"))["spec"]["affinity"]

    (term,) = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"]["windtunnel.dev/step"] == "server"
    assert set(affinity["nodeAffinity"]) == {
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    }


def test_a_server_in_its_clients_pod_is_a_native_sidecar() -> None:
    """Kubernetes starts it first, asks it until it is ready, and ends it after the client."""
    server = service(placement="same-pod", stop=("stop",))
    beside = ContainerSpec(
        name="server", program=server.program, argv=["serve"], env={}, sidecar=server, stop=["stop"], port=80
    )
    *_others, sidecar = made(client(), None, beside)["spec"]["initContainers"]

    assert (sidecar["name"], sidecar["restartPolicy"]) == ("server", "Always")
    assert sidecar["startupProbe"] == {
        "tcpSocket": {"port": 80},
        "periodSeconds": 1,
        "failureThreshold": 10,
        "timeoutSeconds": 5,
    }
    assert sidecar["lifecycle"]["preStop"]["exec"]["command"] == ["stop"]


def test_a_sealed_pod_asks_nobody_for_names_and_cannot_change_its_image() -> None:
    """One sealed container seals the pod's network; its file system is closed but for its own folders."""
    spec = made(client(Program(command=("x",), image="i", isolation="sealed")))["spec"]
    container = spec["containers"][0]

    assert (spec["dnsPolicy"], spec["dnsConfig"]["nameservers"]) == ("None", ["127.0.0.1"])
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["initContainers"][0]["name"] == "windtunnel-seal"
    assert made(client())["spec"]["initContainers"][0]["name"] != "windtunnel-seal"


def test_pips_container_may_write_packages_and_is_told_where_its_command_will_be() -> None:
    """It asks for no more than what runs beside steps."""
    spec = made(client(installs=True))["spec"]
    container = spec["containers"][0]

    assert {"name": "client-python", "mountPath": "/windtunnel/python"} in container["volumeMounts"]
    assert {"name": "client-python", "emptyDir": {}} in spec["volumes"]
    assert "/windtunnel-arguments" in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert container["resources"] == spec["initContainers"][0]["resources"]


def test_packages_are_mounted_read_only_and_unpacked_before_the_step() -> None:
    """Only the container that fetches them may write; what needs none fetches nothing."""
    packed = client(packages=("http://hub:1/inputs/x", "token"))
    spec = made(packed, Placing(architecture="arm64"))["spec"]
    fetcher, container = spec["initContainers"][0], spec["containers"][0]

    assert fetcher_arguments([], [packed]) == ["fetch", "tree,client,http://hub:1/inputs/x,token"]
    assert {"name": "client-python", "mountPath": "/windtunnel/python/client"} in fetcher["volumeMounts"]
    mount = {"name": "client-python", "mountPath": "/windtunnel/python", "readOnly": True}
    assert mount in container["volumeMounts"]
    ((term,),) = [
        each["matchExpressions"]
        for each in spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"
        ]
    ]
    assert term == {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}
    assert [each["name"] for each in made(client())["spec"]["initContainers"]] == ["windtunnel-collector"]


def test_what_stores_a_run_is_none_of_its_objects() -> None:
    """It is still there when all of those are gone; nor is it that of another upload of the same run."""
    run, store, other = (Naming.of(naming().labels, store) for store in ("", "a1b2", "c3d4"))

    assert run.selector == "windtunnel.dev/run=bench-20260101-000000-abcd,!windtunnel.dev/store"
    assert store.selector == "windtunnel.dev/run=bench-20260101-000000-abcd,windtunnel.dev/store=a1b2"
    assert len({each.home for each in (run, store, other)}) == 3
    assert "windtunnel.dev/store" not in run.metadata("x")["labels"]
    assert store.metadata("x")["labels"]["windtunnel.dev/store"] == "a1b2"


def test_only_what_stores_a_run_mounts_its_claim() -> None:
    """Without root's rights, which no volume of a group needs."""
    spec = manifests.WardenSpec("runner", 60, 30)
    job, store = (
        manifests.warden_job(naming(), each, "/lease", 60)["spec"]["template"]["spec"]
        for each in (spec, replace(spec, claim="results"))
    )

    assert not any("persistentVolumeClaim" in each for each in job["volumes"])
    assert {"name": "claim", "persistentVolumeClaim": {"claimName": "results"}} in store["volumes"]
    assert {"name": "claim", "mountPath": "/claim"} in store["containers"][0]["volumeMounts"]
    assert store["securityContext"]["runAsNonRoot"] is True


def test_a_file_that_arrives_in_pieces_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Each request may come twice; what arrived otherwise than it was sent is not taken."""
    path, data = str(tmp_path / "runs" / "big"), b"some data"
    digest = hashlib.sha256(data).hexdigest()
    first, rest = base64.b64encode(data[:4]).decode(), base64.b64encode(data[4:]).decode()
    for _twice in range(2):
        request_handlers.write_file(path, 0, first)
    assert request_handlers.look_file(path, len(data)) == {
        "sha256": None,
        "part": 4,
        "part_sha256": hashlib.sha256(data[:4]).hexdigest(),
    }
    with pytest.raises(ValueError, match="did not arrive as it was sent"):
        request_handlers.finish_file(path, 4, digest)

    request_handlers.write_file(path, 4, rest)
    for _twice in range(2):
        request_handlers.finish_file(path, len(data), digest)
    assert request_handlers.look_file(path, len(data)) == {"sha256": digest, "part": 0, "part_sha256": None}
    assert request_handlers.look_file(path, 4)["sha256"] is None
    assert Path(path).read_bytes() == data


def test_an_archive_is_unpacked_into_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    """Links are made when all files are written, so that none leads one elsewhere; all may be read by anybody."""
    archive, folder = tmp_path / "a.tar.gz", tmp_path / "python"
    folder.mkdir()
    with tarfile.open(archive, "w:gz") as content:
        for name, kind, mode in [
            ("python", tarfile.DIRTYPE, 0o700),
            ("python/bin", tarfile.DIRTYPE, 0o700),
            ("python/way", tarfile.SYMTYPE, 0o777),
            ("python/../escaped", tarfile.REGTYPE, 0o600),
            ("python/bin/tool", tarfile.REGTYPE, 0o700),
            ("python/notes", tarfile.REGTYPE, 0o600),
        ]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname = kind, mode, str(tmp_path)
            content.addfile(entry)
    unpack(archive, folder)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "python"]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if not path.is_symlink()}
    assert modes == {"bin": "0o755", "tool": "0o755", "notes": "0o644"}
    assert (folder / "way").readlink() == tmp_path


def test_all_objects_belong_to_the_run_and_carry_its_labels() -> None:
    """What cannot be a label's value becomes an annotation."""
    names = naming({"team": "caching", "odd": "-x"})
    metadata = names.metadata(names.name("client", 3), "client")

    assert metadata["name"] == f"client-{names.salt}-3"
    assert metadata["labels"]["windtunnel.dev/run"] == "bench-20260101-000000-abcd"
    assert metadata["labels"]["label.windtunnel.dev/team"] == "caching"
    assert metadata["annotations"]["label.windtunnel.dev/odd"] == "-x"
    job = {"metadata": {"name": "warden", "uid": "u"}}
    assert manifests.owner_reference(job)["uid"] == "u"


def test_two_runs_have_no_name_in_common() -> None:
    """The salt follows from the run's id."""
    other = Naming.of(RunLabels("bench-20260101-000000-abce", plan(service()), 0))

    assert naming().name("server") != other.name("server")
    assert naming().name("server") == naming().name("server")


def test_a_token_opens_one_path_alone() -> None:
    """A collector that gives its token away gives away its own results."""
    assert token_for(b"key", "/results/a") != token_for(b"key", "/results/b")
    assert token_for(b"key", "/results/a") != token_for(b"other", "/results/a")


def test_the_programs_for_pods_are_all_there() -> None:
    """Each is in the ConfigMap, under the path at which it is imported."""
    names = naming()
    data, items = manifests.scripts(names)["data"], manifests.script_volume(names)["configMap"]["items"]

    assert {item["key"] for item in items} == set(data)
    for item in items:
        compile(data[item["key"]], item["path"], "exec")
    imported = set(re.findall(r"^from (windtunnel\.\S+) import", "\n".join(data.values()), re.MULTILINE))
    assert {f"{name.replace('.', '/')}.py" for name in imported} <= {item["path"] for item in items}


def test_what_is_installed_is_json_and_gives_wardens_one_right() -> None:
    """A warden may look at leases, nothing else."""
    found = rights("somewhere")
    json.dumps(found)
    (role,) = [each for each in found if each["kind"] == "Role" and each["metadata"]["name"] == "windtunnel-warden"]

    assert role["rules"] == [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}]
    assert {each["metadata"].get("namespace") for each in found if not each["kind"].startswith("Cluster")} == {
        "somewhere"
    }


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (service(program=Program(command=("x",))), "needs an image"),
        (service(program=Program(command=("x",), image="i", files={"f": "x" * 1_000_000})), "too much for a ConfigMap"),
        (service(placement="same-pod", replicas=2), "2 replicas do not go with same-pod"),
        (
            service(placement="same-pod", ready=Readiness(probe=Probe(kind="log", target="x"), within=1)),
            "cannot read logs",
        ),
        (service(program=Program(command=("x",), image="i", trace=True)), "kubernetes"),
    ],
)
def test_what_pods_cannot_do_is_refused_before_anything_starts(step: Service, words: str) -> None:
    """The message says what to do instead."""
    with pytest.raises(Unsupported, match=words):
        check_support(plan(step), make_backend("kubernetes"))


@pytest.mark.parametrize("text", ["x", "1", "-5", "inf", "nan"])
def test_a_lease_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Too short a one would end runs at the first hiccup."""
    monkeypatch.setenv("WINDTUNNEL_LEASE_SECONDS", text)
    with pytest.raises(UsageError, match="WINDTUNNEL_LEASE_SECONDS"):
        lease_seconds()


@pytest.mark.parametrize("text", ["default/pods/x", "..", "Upper", "-x", "a" * 64])
def test_a_namespace_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """It is a part of addresses, and would lead elsewhere; `doctor` goes on."""
    monkeypatch.setenv("WINDTUNNEL_NAMESPACE", text)
    backend = make_backend("kubernetes")
    with pytest.raises(UsageError, match="WINDTUNNEL_NAMESPACE"):
        check_support(plan(service()), backend)
    assert backend.available()


def test_the_runners_image_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any image with Python will do."""
    assert runner_image() == "windtunnel"
    monkeypatch.setenv("WINDTUNNEL_RUNNER_IMAGE", "registry/python:3")
    assert runner_image() == "registry/python:3"

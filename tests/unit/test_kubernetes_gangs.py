"""Gangs, and jobs of several members, as manifests: names, places, keys, and what is said of those without room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest

from support.pod_tasks import pod_task
from windtunnel.backends import make_backend
from windtunnel.backends.base import Launch
from windtunnel.backends.health import Prober
from windtunnel.backends.kubernetes import pod_startup
from windtunnel.backends.kubernetes.affinity import HOSTNAME, ZONE
from windtunnel.backends.kubernetes.container_spec import site_of
from windtunnel.backends.kubernetes.manifests import arguments_name
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.platform import KubernetesPlatform
from windtunnel.backends.kubernetes.pod_launcher import Launcher, PodGroup
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS
from windtunnel.backends.kubernetes.pod_shutdown import Shutdown
from windtunnel.backends.kubernetes.pod_startup import Startup, how_many_fit
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER, PodView
from windtunnel.backends.kubernetes.scheduling import Scheduling
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.network_probe import Answer
from windtunnel.backends.preview import preview_plan
from windtunnel.backends.running import Running
from windtunnel.backends.unit import Unit, render
from windtunnel.benchmark import Loaded, parse
from windtunnel.engines.argo.pod_patch import GATE, patch
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan, Probe
from windtunnel.strategies import make_plan

TEXT = """
spec_version = "1"
[benchmark]
name = "together"
strategy = "mpi"
[gang]
size = 3
image = "mpi:1"
GANG
[client]
launcher = "openmpi"
command = ["measure", "--password", "swordfish-1"]
files = { "input.txt" = "rank of $WORLD_SIZE" }
CLIENT
"""
QUEUE = """
shm = "1Gi"
scheduler_name = "volcano"
pod_labels = { "kueue.x-k8s.io/queue-name" = "fast", "app" = "mine" }
pod_annotations = { "scheduling/group" = "g", "cluster-autoscaler.kubernetes.io/safe-to-evict" = "true" }
"""
NONE = ('launcher = "openmpi"', 'launcher = "none"')
Manifest = dict[str, Any]


def loaded(gang: str = "", client: str = "", launcher: str = "openmpi") -> tuple[Loaded, Plan]:
    """Return a benchmark of three workers, and its plan."""
    text = TEXT.replace("GANG", gang).replace("CLIENT", client).replace('"openmpi"', f'"{launcher}"')
    if launcher == "none":
        text = text.replace("rank of", "rank $RANK of")
    found = parse(text, Path("bench.toml"))
    return found, make_plan(found.benchmark)


def made(gang: str = "", client: str = "", launcher: str = "openmpi") -> list[Manifest]:
    """Return what would be made of it."""
    found, plan = loaded(gang, client, launcher)
    return preview_plan(plan, make_backend("kubernetes"), found.redaction).documents


def of_step(documents: Sequence[Manifest], kind: str, step: str) -> list[Manifest]:
    """Return the objects of a kind that a step has."""
    return [
        each
        for each in documents
        if each["kind"] == kind and each["metadata"]["labels"].get("windtunnel.dev/step") == step
    ]


def test_workers_are_pods_with_names_of_their_own_and_one_service_that_tells_them_at_once() -> None:
    """The Service has no address: there is none that means all of them."""
    documents = made()
    pods, (service,) = of_step(documents, "Pod", "gang"), of_step(documents, "Service", "gang")

    assert [pod["spec"]["hostname"] for pod in pods] == ["gang-0", "gang-1", "gang-2"]
    assert {pod["spec"]["subdomain"] for pod in pods} == {service["metadata"]["name"]}
    assert len({pod["metadata"]["name"] for pod in pods}) == 3
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= pods[2]["metadata"]["labels"].items()


@pytest.mark.parametrize("launcher", ["openmpi", "none"])
def test_a_member_is_lost_with_its_node_at_once(launcher: str) -> None:
    """Others wait for it, who would hear of it after five minutes; a launcher is not waited for."""
    documents = made('tolerations = [{ key = "gpu", operator = "Exists" }]', launcher=launcher)
    step = "gang" if launcher != "none" else "client"
    for pod in of_step(documents, "Pod", step):
        own, *lost = pod["spec"]["tolerations"]
        assert own == {"key": "gpu", "operator": "Exists"}
        assert {each["key"] for each in lost} == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
        assert {each["tolerationSeconds"] for each in lost} == {0}
    if launcher != "none":
        (client,) = of_step(documents, "Pod", "client")
        assert "tolerations" not in client["spec"]


def test_keys_are_in_secrets_alone() -> None:
    """With all files beside them; a secret word of the command is in these files, and the command is another one."""
    documents = made()
    for step, file in (("gang", "host_key"), ("client", "id")):
        pod = of_step(documents, "Pod", step)[0]
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        secrets = {each["metadata"]["name"]: each["stringData"] for each in of_step(documents, "Secret", step)}
        named = volumes[f"{step}-files"]["secret"]["secretName"]
        keys = {item["path"]: item["key"] for item in volumes[f"{step}-placed"]["secret"]["items"]}

        assert of_step(documents, "ConfigMap", step) == []
        assert volumes[f"{step}-placed"]["secret"]["secretName"] == named
        assert "key of the run's own" in secrets[named][keys[f".windtunnel/{file}"]]
        assert pod["spec"]["containers"][0]["command"][0] == "/bin/sh"


@pytest.mark.parametrize("launcher", ["openmpi", "none"])
@pytest.mark.parametrize("placement", ["any", "spread", "packed"])
def test_members_have_a_node_each_or_one_for_all_if_the_benchmark_says_so(placement: str, launcher: str) -> None:
    """A node that has no room for it is refused by the scheduler; one zone for all is no condition."""
    step = "gang" if launcher != "none" else "client"
    documents = made(f'placement = "{placement}"', launcher=launcher)
    affinities = [pod["spec"]["affinity"] for pod in of_step(documents, "Pod", step)]
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    own = {"windtunnel.dev/run": "together-preview", "windtunnel.dev/step": step}
    term = {"labelSelector": {"matchLabels": own}, "topologyKey": HOSTNAME}
    near = {"weight": 100, "podAffinityTerm": term | {"topologyKey": ZONE}}

    assert len(affinities) == 3
    for affinity in affinities:
        assert affinity.get("podAntiAffinity") == ({required: [term]} if placement == "spread" else None)
        assert affinity["podAffinity"] == (
            {required: [term]} if placement == "packed" else {"preferredDuringSchedulingIgnoredDuringExecution": [near]}
        )


def test_a_launcher_may_share_a_workers_node() -> None:
    """It is small, and another node would be one that the gang cannot have."""
    (pod,) = of_step(made('placement = "spread"'), "Pod", "client")
    assert pod["spec"]["affinity"] == {}
    assert pod["spec"]["containers"][0]["resources"] == {}


def test_workers_have_the_queue_and_the_shared_memory_that_they_ask_for() -> None:
    """What Windtunnel itself says of its pods stands; the launcher is in no queue."""
    documents = made(QUEUE)
    (client,), workers = of_step(documents, "Pod", "client"), of_step(documents, "Pod", "gang")
    for worker in workers:
        labels, annotations = worker["metadata"]["labels"], worker["metadata"]["annotations"]
        volumes = {each["name"]: each for each in worker["spec"]["volumes"]}
        mounts = {each["mountPath"]: each["name"] for each in worker["spec"]["containers"][0]["volumeMounts"]}

        assert labels["kueue.x-k8s.io/queue-name"] == "fast"
        assert labels["windtunnel.dev/step"] == "gang"
        assert annotations["scheduling/group"] == "g"
        assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
        assert worker["spec"]["schedulerName"] == "volcano"
        assert volumes[mounts["/dev/shm"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1073741824"}
    assert "schedulerName" not in client["spec"]
    assert "app" not in client["metadata"]["labels"]


def test_each_member_of_a_job_has_its_own_files_and_variables() -> None:
    """Its rank may be in them."""
    documents = made(launcher="none")
    pods = of_step(documents, "Pod", "client")
    files = {each["metadata"]["name"]: each["data"] for each in of_step(documents, "ConfigMap", "client")}
    secrets = {each["metadata"]["name"] for each in of_step(documents, "Secret", "client")}
    for rank, pod in enumerate(pods):
        main = pod["spec"]["containers"][0]
        variables = {each["name"]: each.get("value") for each in main["env"]}
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}

        assert variables["RANK"] == str(rank)
        assert files[volumes["client-placed"]["configMap"]["name"]] == {"file-0": f"rank {rank} of 3"}
        assert {each["valueFrom"]["secretKeyRef"]["name"] for each in main["env"] if "valueFrom" in each} <= secrets
    assert len(pods) == 3
    assert "swordfish" not in json.dumps(pods)


def test_the_first_member_of_a_job_has_an_address_before_it_is_there() -> None:
    """A name that is looked up too early is said not to exist for a while; to itself it is its own address."""
    documents = made(launcher="none")
    first, second, _third = of_step(documents, "Pod", "client")
    services = {each["metadata"]["name"]: each["spec"] for each in of_step(documents, "Service", "client")}
    variables = {each["name"]: each.get("value") for each in second["spec"]["containers"][0]["env"]}
    address, others = services.pop(variables["MASTER_ADDR"]), services.pop(second["spec"]["subdomain"])

    assert first["spec"]["hostname"] == variables["MASTER_ADDR"] != second["spec"]["hostname"]
    assert "clusterIP" not in address
    assert [port["port"] for port in address["ports"]] == [int(variables["MASTER_PORT"])]
    assert address["selector"].items() <= first["metadata"]["labels"].items()
    assert not address["selector"].items() <= second["metadata"]["labels"].items()
    assert others["clusterIP"] == "None"
    assert not services


def test_members_of_a_job_begin_when_all_have_a_place() -> None:
    """Those that find theirs first would run alone, and be gone when the last one begins; workers only wait."""
    for launcher, step, waits in (("none", "client", True), ("openmpi", "gang", False), ("openmpi", "client", False)):
        documents = made(launcher=launcher)
        for pod in of_step(documents, "Pod", step):
            arguments = f"{pod['metadata']['name']}-arguments"
            (secret,) = [each for each in of_step(documents, "Secret", step) if each["metadata"]["name"] == arguments]
            first = [each["name"] for each in pod["spec"]["initContainers"]]
            assert (first == [FETCHER, COLLECTOR]) is waits
            assert ("start,," in secret["stringData"].get(FETCHER, "")) is waits


def test_a_sealed_member_knows_the_address_of_the_first_and_the_first_its_own() -> None:
    """None of them can ask for names."""
    first, second, _third = of_step(made("", 'isolation = "sealed"', launcher="none"), "Pod", "client")
    names = [[alias["hostnames"][0] for alias in pod["spec"]["hostAliases"]] for pod in (first, second)]
    assert first["spec"]["hostname"] in names[1]
    assert first["spec"]["hostname"] not in names[0]


def placed(node: str | None) -> PodView:
    """Return a pod with this node, or without one."""
    return PodView({"metadata": {"name": "pod"}, "spec": {"nodeName": node}, "status": {}})


def worker(number: int, launcher: str = "openmpi") -> Unit:
    """Return a worker of the gang, or a member of the job, as it is to be started."""
    _found, plan = loaded(launcher=launcher)
    step = plan.step("gang" if launcher != "none" else "client")
    naming = Naming.of(RunLabels("bench-20260101-000000-abcd", plan, 0))
    return render(Launch(step, None, {}), site_of(naming, step, None), number=number)


@pytest.mark.parametrize(
    ("code", "words"), [("unschedulable", "1 of 3 would fit"), ("quota", "2 of 3 would fit"), ("image_pull", "")]
)
@pytest.mark.parametrize("launcher", ["openmpi", "none"])
def test_a_gang_without_room_tells_how_many_would_fit(code: str, words: str, launcher: str) -> None:
    """Those that have a node, or, of a quota, those that the API took."""
    tasks = [pod_task(placed("node1")), pod_task(placed(None))]
    error = PlatformError("no", code=code)

    assert how_many_fit(error, worker(1, launcher), tasks) == words
    assert how_many_fit(KeyboardInterrupt(), worker(1, launcher), tasks) == ""


def test_each_worker_goes_to_the_node_again_that_it_was_on() -> None:
    """Numbers of ranks that changed places are not comparable."""
    _found, plan = loaded()
    scheduling = Scheduling(plan, Mock(), lambda _node: None)
    units = [worker(number) for number in (1, 2, 3)]
    nodes = {1: "node2", 2: "node1"}
    tasks = [pod_task(placed(nodes.get(unit.number)), unit.step, number=unit.number) for unit in units]
    scheduling.note(tasks)

    assert [scheduling.placing(unit).node for unit in units] == ["node2", "node1", None]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}, "waits for kueue.x-k8s.io/admission"),
        ({"schedulerName": "volcano"}, "waits for the scheduler volcano"),
        ({"schedulingGates": [{"name": GATE}]}, None),
        ({"schedulerName": "default-scheduler"}, None),
    ],
)
def test_a_gang_that_a_queue_holds_back_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], words: str | None
) -> None:
    """It is waited for as long as the run may take; our own gate is none to tell of."""
    monkeypatch.setattr(pod_startup, "PATIENCE_SECONDS", -1.0)
    view = PodView({"metadata": {"name": "pod"}, "spec": spec, "status": {}})
    checks = iter([None, None, None])

    def check() -> None:
        if next(checks, StopIteration) is StopIteration:
            raise KeyboardInterrupt

    resources = Mock(check=check)
    tasks = [pod_task(view, worker(number).step, resources=resources, number=number) for number in (1, 2)]
    resources.watcher.notifier.wait = lambda _holds, _seconds: False
    with pytest.raises(KeyboardInterrupt):
        Startup(resources).wait(tasks)

    told = [each.args for each in resources.context.journal.note.call_args_list]
    assert [(said.partition(",")[0], step) for said, step in told] == ([(words, "gang")] if words else [])


@pytest.mark.parametrize("launcher", ["openmpi", "none"])
def test_argo_is_told_of_the_pod_that_the_driver_finds(launcher: str) -> None:
    """Command, files, variables, volumes, names and places: though neither addresses nor keys are known then."""
    found, plan = loaded('placement = "spread"\nshm = "64Mi"', launcher=launcher)
    documents = preview_plan(plan, make_backend("kubernetes"), found.redaction).documents
    pod = of_step(documents, "Pod", "client")[0]["spec"]
    naming = Naming.of(RunLabels("together-preview", plan, 0))
    told = patch(naming, plan, plan.jobs[0], 1, "windtunnel")
    main, (shown,) = told["containers"][0], pod["containers"]
    volumes = {each["name"]: each for each in told["volumes"]}
    alike = ("command", "workingDir")

    assert {key: main[key] for key in alike} == {key: shown[key] for key in alike}
    assert [each["name"] for each in main["env"]] == [each["name"] for each in shown["env"]]
    assert {each["name"]: each for each in pod["volumes"]}.items() <= volumes.items()
    assert all(mount in main["volumeMounts"] for mount in shown["volumeMounts"])
    for key in ("hostname", "subdomain", "affinity"):
        assert told.get(key) == pod.get(key)


@pytest.mark.parametrize("has_gone", [True, False])
def test_what_is_tried_again_waits_until_the_pods_of_the_try_are_gone(*, has_gone: bool) -> None:
    """They hold the places that it needs; what the step has beside them stays for it."""
    resources = Mock()
    resources.watcher.notifier.wait = lambda holds, _seconds: holds()
    task = pod_task(replace(placed("node1"), is_removed=has_gone), worker(1).step, resources=resources)
    own = ("Secret", arguments_name(task.pod))
    shutdown = Shutdown(resources, lambda: False)
    shutdown.give_back(PodGroup("gang", "gang-1", [task], belongings=[("Service", "gang-1"), own]))
    shutdown.await_removal()

    assert resources.cluster.delete.call_args_list == [call("Pod", task.pod, 1.0), call(*own)]
    assert resources.context.journal.note.called is not has_gone


def test_nothing_of_a_try_is_taken_for_that_of_the_next(tmp_path: Path) -> None:
    """Its pods have names of their own, and what a member printed before it was given back is gone."""
    _found, plan = loaded(launcher="none")
    naming = Naming.of(RunLabels("bench-20260101-000000-abcd", plan, 0))
    watcher = Mock(view=lambda _pod: placed("node1"))
    context = Mock(plan=plan, folder=Mock(log=lambda *_which: tmp_path / "log"))
    resources = Mock(naming=naming, watcher=watcher, context=context, addresses={}, runner="r")
    resources.collect.return_value = ("hub", "t", "t", "n")
    resources.input.side_effect = lambda name: (f"http://hub/inputs/{name}", "t")
    resources.create.side_effect = lambda thing, _what, _step: (
        thing | ({"spec": {"clusterIP": "192.0.2.1"}} if thing["kind"] == "Service" else {})
    )
    launcher = Launcher(resources, DRIVER_PODS, Scheduling(plan, Mock(), lambda _node: None), {})
    units = [worker(number, "none") for number in (1, 2)]
    tries = [PodGroup("client", "client-1") for _try in range(2)]
    for group in tries:
        launcher.make(group, units, [], lambda _tasks: None)
        if group is tries[0]:
            (tmp_path / "log").write_text("rate=1")

    secrets = [each.args[0].get("stringData", {}).get(FETCHER, "") for each in resources.create.call_args_list]
    waited = [json.loads(text)[-1].split(",") for text in secrets if text]
    told = [each.args[0] for each in resources.agent.send_file.call_args_list]
    assert [each[:1] for each in waited] == [["start"]] * 4
    assert len({each[2] for each in waited}) == len(set(told)) == 2
    names = [[task.pod for task in group.tasks] for group in tries]
    assert names[1] == [f"{name}-try-2" for name in names[0]]
    assert not (tmp_path / "log").exists()


def test_a_gang_is_asked_one_by_one() -> None:
    """There is no one address that leads to all of its workers."""
    unit = worker(1)
    platform = Mock(spec=KubernetesPlatform)
    task = Mock(unit=unit, address=unit.site.address, spec=PodTask)
    task.reach.return_value = Answer(ok=True, detail="")
    prober = Prober(Mock(), lambda _others: None)
    answer = prober.ask(Running(platform, [unit], Path("m"), [task, task]), Probe(kind="tcp"), 1)

    assert answer.ok
    assert [each.args[:2] for each in task.reach.call_args_list] == [("tcp", unit.site.address.port)] * 2
    assert not platform.reach_service.called

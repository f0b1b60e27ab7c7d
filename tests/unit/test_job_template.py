"""The Job of a flow run on Kubernetes, rendered by Prefect's own worker from our template."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    PREFECT_SERVER_DATABASE_PASSWORD,
    temporary_settings,
)
from prefect.settings.legacy import Setting
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from windtunnel.engines.prefect.job_template import job_template

SIGTERM = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
WORKER_SETTINGS: Mapping[Setting, Any] = {PREFECT_API_URL: "http://127.0.0.1:4200/api"}
"""What a worker outside the cluster has."""


def job(
    template: dict[str, Any], values: dict[str, Any] | None = None, settings: Mapping[Setting, Any] = WORKER_SETTINGS
) -> dict[str, Any]:
    """Return the Job that Prefect's worker makes of a template, with a deployment's job variables."""
    run = FlowRun(id=uuid4(), name="swift-owl", flow_id=uuid4())
    with temporary_settings(dict(settings)):
        client = PrefectClient("http://127.0.0.1:9/api")
        configuration = asyncio.run(
            KubernetesWorkerJobConfiguration.from_template_and_values(template, values or {}, client=client)
        )
        configuration.prepare_for_flow_run(run)
    return dict(configuration.job_manifest)


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a Job's pod."""
    return dict(made["spec"]["template"]["spec"])


def variables(made: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a Job's only container: a text each, or where it comes from."""
    (container,) = pod_of(made)["containers"]
    names = [item["name"] for item in container["env"]]
    assert len(names) == len(set(names))
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def test_prefect_takes_the_template_for_a_work_pool() -> None:
    """Each placeholder in it is a variable that its schema has."""
    made = WorkPoolCreate(name="pods", type="kubernetes", base_job_template=job_template(namespace="bench"))
    assert json.loads(json.dumps(made.base_job_template)) == made.base_job_template


def test_a_job_is_tried_once_and_ends_by_itself() -> None:
    """It has a deadline, time to end in order, and is gone an hour later."""
    made = job(job_template(namespace="bench", deadline=4000))
    spec, pod = made["spec"], pod_of(made)
    assert (spec["backoffLimit"], spec["podReplacementPolicy"], pod["restartPolicy"]) == (0, "Failed", "Never")
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (4000, 3600)
    assert pod["terminationGracePeriodSeconds"] == 60
    assert made["metadata"]["namespace"] == "bench"
    assert made["metadata"]["generateName"] == "swift-owl-"


def test_a_pod_that_has_to_go_does_not_run_its_flow_again() -> None:
    """Prefect is told to leave the end to the flow, also where a deployment has variables of its own."""
    template = job_template(namespace="bench")
    assert variables(job(template))[SIGTERM] == "crash"
    assert variables(job(template, {"env": {"LANG": "C"}})).items() >= {SIGTERM: "crash", "LANG": "C"}.items()


def test_without_its_setting_prefect_would_run_the_flow_again() -> None:
    """That is the worker's own choice for Jobs without a retry: the setting is not there for nothing."""
    template = job_template(namespace="bench")
    del template["job_configuration"]["env"][SIGTERM]
    assert variables(job(template))[SIGTERM] == "reschedule"


def test_a_flow_is_started_by_what_hands_signals_on() -> None:
    """The image has an entry point, which an argument alone would not replace."""
    (container,) = pod_of(job(job_template(namespace="bench")))["containers"]
    assert [*container["command"], *container["args"]] == [
        *("windtunnel", "flow-pod", "--"),
        *("prefect", "flow-run", "execute"),
    ]


def test_a_flow_may_write_only_to_volumes_of_its_pod() -> None:
    """Prefect's own folder, the home and the folder where it starts are there; its user is not root."""
    pod = pod_of(job(job_template(namespace="bench")))
    (container,) = pod["containers"]
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["workingDir"] in mounted
    assert {"/" + path.split("/")[1] for path in _paths(container)} <= mounted
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}


def _paths(container: Mapping[str, Any]) -> list[str]:
    given = {each["name"]: each.get("value") for each in container["env"]}
    return [given["PREFECT_HOME"], given["HOME"]]


def test_a_flow_knows_its_own_pod_and_tells_that_it_lives() -> None:
    """The pod owns what the run makes; three heartbeats may be missing before it is taken for dead."""
    found = variables(job(job_template(namespace="bench")))
    assert found["WINDTUNNEL_POD"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert found["WINDTUNNEL_POD_UID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert found["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_what_a_job_is_made_of_is_said_once_for_all_or_by_a_deployment() -> None:
    """A deployment's job variables outrank the pool's; the wardens of the run have the image of its flow."""
    template = job_template(
        namespace="bench",
        image="bench:1",
        service_account="me",
        api_url="http://prefect:4200/api",
        image_pull_secrets=["registry"],
        node_selector={"role": "drivers"},
    )
    first, second = job(template), job(template, {"image": "bench:2", "deadline": 60})
    pod = pod_of(first)
    assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("me", [{"name": "registry"}])
    assert pod["nodeSelector"] == {"role": "drivers"}
    assert variables(first)["PREFECT_API_URL"] == "http://prefect:4200/api"
    for made, image in ((first, "bench:1"), (second, "bench:2")):
        assert pod_of(made)["containers"][0]["image"] == image
        assert variables(made)["WINDTUNNEL_RUNNER_IMAGE"] == image
    assert second["spec"]["activeDeadlineSeconds"] == 60


def test_without_an_address_for_pods_they_have_the_workers() -> None:
    """That is right for a worker in the cluster."""
    assert variables(job(job_template(namespace="bench")))["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize(
    ("setting", "secret"),
    [
        (PREFECT_API_AUTH_STRING, "me:hush"),
        (PREFECT_API_KEY, "hush"),
        (PREFECT_CLIENT_CUSTOM_HEADERS, {"X-Token": "hush"}),
        (PREFECT_SERVER_API_AUTH_STRING, "me:hush"),
        (PREFECT_SERVER_DATABASE_CONNECTION_URL, "postgresql+asyncpg://me:hush@there/prefect"),
        (PREFECT_SERVER_DATABASE_PASSWORD, "hush"),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_no_secret_of_a_worker_is_written_into_a_job(setting: Setting, secret: object) -> None:
    """Prefect would copy it; a flow's pod takes its own from Secrets, which may be missing."""
    made = job(job_template(namespace="bench"), settings={**WORKER_SETTINGS, setting: secret})
    assert "hush" not in json.dumps(made)
    assert setting.name not in variables(made)
    (container,) = pod_of(made)["containers"]
    assert container["envFrom"] == [
        {"secretRef": {"name": name, "optional": True}}
        for name in ("windtunnel-prefect", "windtunnel-s3", "windtunnel-pip")
    ]

"""What lets a pod use the run's hub: the pod's own programs have it, and who looks at pods does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from windtunnel.backends.kubernetes.affinity import Placing
from windtunnel.backends.kubernetes.container_spec import ContainerSpec
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodOrder
from windtunnel.backends.kubernetes.pod_spec import Companions, fetcher_arguments, pod
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.unit import Unit
from windtunnel.plan import Job, Plan, Program

JOB = Job(name="client", program=Program(command=("measure",), image="image"))
PLAN = Plan(benchmark="bench", strategy="single-node", timeout=60, steps=(JOB,))
NAMING = Naming.of(RunLabels("bench-20260101-000000-abcd", PLAN, 0))
CLIENT = ContainerSpec("client", JOB.program, ["measure"], {}, packages=("http://hub:1/inputs/x", "packages-token"))
COLLECT = ["http://hub:1", "results-token", "usage-token", "client-1"]
OWN = "windtunnel-inputs", "windtunnel-collector"


def test_a_pods_tokens_are_in_a_secret_that_is_there_before_the_pod() -> None:
    """Whoever may look at pods could send results in one's name; the step's own container does not have them either."""
    made: list[dict[str, Any]] = []

    def create(manifest: Mapping[str, Any], _what: str, _step: str | None) -> Any:
        made.append(dict(manifest))

    inputs = [("0", "http://hub:1/inputs/0", "input-token")]
    words = dict(zip(OWN, (fetcher_arguments(inputs, [CLIENT]), COLLECT), strict=True))
    described_pod = pod(NAMING, "client-1", [CLIENT], Placing(), Companions("runner", 20, {"data.csv": "0"}))
    resources = cast("RunResources", SimpleNamespace(naming=NAMING, create=create))
    unit = cast("Unit", SimpleNamespace(step=JOB, iteration=1))
    DRIVER_PODS.make(PodOrder(unit, described_pod, lambda _pod: words, resources))

    secret, described = made
    spec = described["spec"]
    assert "token" not in json.dumps(described)
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", "client-1-arguments")
    assert {each: json.loads(text) for each, text in secret["stringData"].items()} == words
    assert {"name": "windtunnel-arguments", "secret": {"secretName": "client-1-arguments"}} in spec["volumes"]
    assert [each["name"] for each in spec["initContainers"]] == list(OWN)
    for each in spec["initContainers"]:
        assert each["command"][-1] == f"@/windtunnel-arguments/{each['name']}"
        assert "windtunnel-arguments" in {mount["name"] for mount in each["volumeMounts"]}
    assert "windtunnel-arguments" not in {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}

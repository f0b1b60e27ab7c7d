"""What a cluster changes of a pod is told where numbers may come from it."""

from __future__ import annotations

from typing import Any

import pytest

from windtunnel.backends.kubernetes.admission import changes


def pod(limits: dict[str, str] | None = None, image: str = "i", more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a pod of a step and its collector, and of more containers."""
    step = {"name": "server", "image": image} | ({"resources": {"limits": limits}} if limits else {})
    others = [{"name": name, "image": "proxy"} for name in more]
    return {"spec": {"initContainers": [{"name": "collector", "image": "c"}], "containers": [step, *others]}}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pod({"cpu": "100m", "memory": "64Mi"}), "limits server, and the benchmark does not: cpu 100m, memory 64Mi"),
        (pod(more=("istio-proxy",)), "that the benchmark does not have: istio-proxy"),
        (pod(image="mirror/i"), "another image: mirror/i instead of i"),
    ],
)
def test_what_a_cluster_changes_of_a_pod_is_told(made: dict[str, Any], words: str) -> None:
    """A limit, a container or an image that nobody asked for changes what is measured."""
    (found,) = changes(pod(), made, ["server"])
    assert words in found


def test_what_a_cluster_does_to_what_is_ours_is_not_told() -> None:
    """Nor a pod that is as it was asked for, with defaults of the cluster's."""
    asked, made = pod({"cpu": "1"}), pod({"cpu": "1"})
    made["spec"]["initContainers"][0]["resources"] = {"limits": {"cpu": "1"}}
    made["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1", "memory": "1Mi"}

    assert not list(changes(asked, made, ["server"]))

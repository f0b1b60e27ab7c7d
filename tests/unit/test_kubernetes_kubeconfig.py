"""Credentials that cannot be had are told as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from windtunnel.backends.kubernetes import api, kubeconfig
from windtunnel.backends.kubernetes.resources import ClusterObject, KubernetesResources
from windtunnel.backends.reap import reap_all
from windtunnel.backends.resources import end_orphans
from windtunnel.errors import PlatformError


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-plugin"], "no credentials: .*no-such-plugin"),
        (["sh", "-c", "echo please log in >&2; exit 1"], "no credentials: .*please log in"),
    ],
)
def test_a_credential_plugin_that_fails_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], words: str
) -> None:
    """The client would go on as nobody, who is forbidden everything."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": command[0],
        "args": command[1:],
        "interactiveMode": "Never",
    }
    _configure(monkeypatch, tmp_path, {"exec": plugin})
    with pytest.raises(PlatformError, match=words) as raised:
        kubeconfig.load(Configuration())
    assert raised.value.code == "no_cluster"


def test_reap_says_that_it_could_not_look_into_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It said that nothing was left behind; of what it just ended that is not known either."""
    _configure(monkeypatch, tmp_path, {})
    monkeypatch.setattr(api, "OUTAGE_SECONDS", 0.1)
    monkeypatch.setattr("windtunnel.backends.reap.BACKENDS", ["kubernetes"])
    orphan = ClusterObject("Pod", "server", "default", "run", 0)

    (words,) = reap_all(tmp_path / "runs", dry_run=True).unknown
    assert "namespace default of c cannot be looked at: " in words
    assert end_orphans(KubernetesResources(api.connect()), [orphan]) == [orphan]


def _configure(monkeypatch: pytest.MonkeyPatch, folder: Path, user: dict[str, Any]) -> None:
    """Have the kubeconfig of a cluster that does not answer."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
    }
    file = folder / "config"
    file.write_text(json.dumps(config))
    monkeypatch.delenv("WINDTUNNEL_NAMESPACE", raising=False)
    monkeypatch.setattr(kubeconfig, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))

"""Credentials that cannot be had are told as such."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kubernetes.client import Configuration

from windtunnel.backends.kubernetes import kubeconfig
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
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    monkeypatch.setattr(kubeconfig, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))

    with pytest.raises(PlatformError, match=words) as raised:
        kubeconfig.load(Configuration())
    assert raised.value.code == "no_cluster"

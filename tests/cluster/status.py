"""What there is: ``make cluster-status``."""

from __future__ import annotations

import json

from cluster import docker, images, kubeconfig, places, programs, state
from cluster.kubectl import as_admin
from cluster.shell import Failed


def lines() -> list[str]:
    """Tell the state, the nodes, the add-ons, the versions, the images and the context."""
    found = docker.containers()
    if not found:
        return [f"no cluster; programs: {'built' if places.binary('kubectl').is_file() else 'not built'}"]
    reason = state.reason(None)
    told = [f"cluster   {'needs `make cluster-up`: ' + reason if reason else 'up and healthy'}"]
    told += [f"container {each.name}: {'running' if each.running else 'stopped'}" for each in found]
    try:
        told += [*node_lines(), *add_on_lines(), *image_lines(found)]
        told.append(f"context   {kubeconfig.CONTEXT}: {'set' if kubeconfig.is_set() else 'not set'}")
    except Failed as error:
        told.append(f"          {str(error).splitlines()[-1].strip()}")
    versions = ", ".join(f"{group.name} {group.version}" for group in programs.groups())
    return [*told, f"versions  {versions}", f"programs  {places.binary('')}"]


def node_lines() -> list[str]:
    """Tell each node's state, version and runtime."""
    told = []
    for node in json.loads(as_admin("get", "nodes", "--output=json", timeout=10))["items"]:
        info = node["status"]["nodeInfo"]
        able = "Ready" if state.is_true(node, "Ready") else "not Ready"
        name = node["metadata"]["name"]
        told.append(f"node      {name}: {able}, {info['kubeletVersion']}, {info['containerRuntimeVersion']}")
    return told


def add_on_lines() -> list[str]:
    """Tell each add-on's state and image."""
    told = []
    for name, namespace in state.DEPLOYMENTS.items():
        which = ["deployment", name, f"--namespace={namespace}", "--ignore-not-found"]
        if found := as_admin("get", *which, "--output=json", timeout=10):
            deployment = json.loads(found)
            able = "available" if state.is_true(deployment, "Available") else "not available"
            told.append(f"add-on    {name}: {able}, {deployment['spec']['template']['spec']['containers'][0]['image']}")
        else:
            told.append(f"add-on    {name}: missing")
    return told


def image_lines(found: list[docker.Container]) -> list[str]:
    """Tell which nodes have the project's images as they are built here."""
    workers = [each for each in found if each.running and each.name != docker.CONTROL_PLANE]
    has = {each.name: images.loaded(each.name.removeprefix("windtunnel-"), images.PROJECT) for each in workers}
    built = images.idents()
    told = []
    for image in images.PROJECT:
        having = [name for name in has if image in built and has[name].get(image) == built[image]]
        told.append(f"image     {image}: " + (f"in {', '.join(having)}" if having else "not loaded, or an older one"))
    return told

"""A client's pod under Argo is described ahead of the run; what is known of its packages only then comes later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from windtunnel.backends.base import Launch
from windtunnel.backends.containers import PYTHON
from windtunnel.backends.kubernetes.container_spec import belongings, site_of
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.unit import Environment, render
from windtunnel.benchmark import parse
from windtunnel.engines.argo.parameters import check_plan, ported
from windtunnel.engines.argo.pod_patch import patch
from windtunnel.plan import Plan
from windtunnel.strategies import make_plan

TEXT = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "client-server"
[server]
image = "server:1"
command = ["python3", "serve.py"]
port = 80
placement = "same-pod"
requirements = ["numpy"]
env = { PATH = "/opt/bin" }
[client]
image = "client:1"
command = ["python3", "measure.py"]
requirements = ["numpy"]
env = { API_TOKEN = "Zq7Marked4Secret" }
"""


def plan() -> Plan:
    """Return the plan of a client and a server beside it, both with packages."""
    found = ported(make_plan(parse(TEXT, Path("bench.toml")).benchmark))
    check_plan(found)
    return found


def test_a_clients_pod_has_a_place_for_its_packages_and_a_path_that_is_told_later() -> None:
    """Its interpreter and its volume are known; its PATH depends on its image, unless the benchmark says it."""
    (job,) = plan().jobs
    found = patch(Naming.of(RunLabels("run", plan(), 0)), plan(), job, 1, "runner:1")
    main = found["containers"][0]
    server = next(each for each in found["initContainers"] if each["name"] == "server")
    told, given = (next(each for each in one["env"] if each["name"] == "PATH") for one in (main, server))

    assert main["command"] == ["/windtunnel/python/bin/python", "measure.py"]
    assert told["valueFrom"]["secretKeyRef"]["key"] == "variable-1"
    assert given["value"] == "/windtunnel/python/bin:/opt/bin"
    for name, one in (("client", main), ("server", server)):
        mount = {"name": f"{name}-python", "mountPath": str(PYTHON), "readOnly": True}
        assert mount in one["volumeMounts"]
    assert found["initContainers"][0]["name"] == "windtunnel-inputs"


def test_a_driver_tells_the_path_where_the_pod_looks_for_it() -> None:
    """In its step's Secret, under the same key; where pods are described when all is known, there is no need."""
    naming = Naming.of(RunLabels("run", plan(), 0))
    (job,) = plan().jobs
    unit = render(Launch(job, 1, {}), site_of(naming, job, 1), Environment(PYTHON, "/image/bin"))

    def told(secrecy: Secrecy) -> list[dict[str, str]]:
        return [each["stringData"] for each in belongings(naming, secrecy, unit) if each["kind"] == "Secret"]

    secret = {"variable-0": "Zq7Marked4Secret"}
    assert told(Secrecy.of(plan(), is_ahead=True)) == [secret | {"variable-1": "/windtunnel/python/bin:/image/bin"}]
    assert told(Secrecy.of(plan())) == [secret]
    plain = replace(unit, step=replace(job, program=replace(job.program, env={}, requirements=())), env={})
    assert belongings(naming, Secrecy.of(plan(), is_ahead=True), plain) == []

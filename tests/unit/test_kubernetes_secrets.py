"""Secrets of a step are in no description of a pod: they go through a Secret. No cluster is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.secrets import KEPT, full_of_secrets, leaks
from windtunnel.backends import make_backend
from windtunnel.backends.base import Launch
from windtunnel.backends.kubernetes.affinity import Placing
from windtunnel.backends.kubernetes.container_spec import belongings, container_spec, site_of
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.pod_spec import Companions, pod
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.unit import Unit, render
from windtunnel.benchmark import parse
from windtunnel.engines.argo.pod_patch import patch
from windtunnel.errors import Unsupported
from windtunnel.plan import Job, Plan, Probe, Program, Readiness, Service
from windtunnel.strategies import make_plan

MARK = "Zq7Marked"
SERVER = Service(
    name="server",
    program=Program(command=("redis-server", "--requirepass", f"{MARK}$pass"), image="i", env={"PLAIN": "$x"}),
    ready=Readiness(probe=Probe(kind="tcp"), within=5),
    port=80,
)
CLIENT = Program(
    command=("measure", f"{MARK}$pass", "$SERVER_URL", "--count", "3"),
    image="i",
    env={
        "API_TOKEN": f"{MARK}token",
        "PLAIN": "$HOME and $$1",
        "DATABASE": f"postgres://user:{MARK}-db@$SERVER_HOST:$SERVER_PORT/x",
        "HEADER": f"X-Key {MARK}token",
    },
    files={"settings.ini": f"password = {MARK}-file\n", "/etc/plain.txt": "plain"},
)


def plan(client: Program = CLIENT, server: Service = SERVER, **keys: Any) -> Plan:
    """Return a plan of a server and a client."""
    job = Job(name="client", program=client, needs=("server",))
    return Plan(benchmark="bench", strategy="client-server", timeout=60, steps=(server, job), **keys)


def made(found: Plan, step: str = "client") -> tuple[Naming, Unit]:
    """Return a step of a plan as it is to be started."""
    naming = Naming.of(RunLabels("bench-20260101-000000-abcd", found, 0))
    addresses = {"SERVER_HOST": "server-1", "SERVER_PORT": "80", "SERVER_URL": "http://server-1:80"}
    launch: Launch[Any] = Launch(found.step(step), 1, addresses)
    return naming, render(launch, site_of(naming, launch.step, 1))


def things_of(found: Plan) -> list[dict[str, Any]]:
    """Return what the client's pod refers to."""
    naming, unit = made(found)
    return belongings(naming, Secrecy.of(found), unit)


def pod_of(found: Plan, step: str = "client") -> dict[str, Any]:
    """Return the pod of a step."""
    naming, unit = made(found, step)
    container = container_spec(naming, Secrecy.of(found), unit)
    return pod(naming, "name", [container], Placing(), Companions("runner", 20))


def test_a_pods_description_has_no_secret() -> None:
    """Neither of its variables, nor of its command, nor of its files; another step's are as secret."""
    for step in ("server", "client"):
        assert MARK not in json.dumps(pod_of(plan(), step))


def test_kubernetes_puts_the_same_strings_together() -> None:
    """References are to keys of the step's Secret, which hold what the step is to get; all else is as it was."""
    (secret,) = things_of(plan())
    container = pod_of(plan())["spec"]["containers"][0]
    data, env = secret["stringData"], {}
    for entry in container["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        assert reference is None or reference["name"] == secret["metadata"]["name"]
        env[entry["name"]] = data[reference["key"]] if reference else entry["value"].replace("$$", "$")
    words = [env[word[2:-1]] if word.startswith("$(") else word for word in container["command"]]

    assert secret["kind"] == "Secret"
    assert words == ["measure", f"{MARK}$pass", "http://server-1:80", "--count", "3"]
    assert {name: env[name] for name in CLIENT.env} == {
        "API_TOKEN": f"{MARK}token",
        "PLAIN": "$HOME and $1",
        "DATABASE": f"postgres://user:{MARK}-db@server-1:80/x",
        "HEADER": f"X-Key {MARK}token",
    }
    shown = [entry["name"] for entry in container["env"] if "value" in entry]
    assert "PLAIN" in shown
    assert not {"API_TOKEN", "DATABASE", "HEADER"} & set(shown)


def test_a_benchmark_full_of_secrets_shows_none_and_loses_none() -> None:
    """Secrets of every kind: names, addresses, options, headers, commands in words, files."""
    benchmark = parse(full_of_secrets("full", image="i"), Path("full.toml")).benchmark
    found = make_plan(benchmark)
    job = found.step("client")
    assert isinstance(job, Job)
    naming, client = made(found)
    shown = [pod_of(found), patch(naming, found, job, 1, "runner")]
    (secret,) = things_of(found)
    data = secret["stringData"].values()

    assert leaks(json.dumps(shown)) == []
    assert KEPT in json.dumps(shown)
    assert all(value in data for value in (*client.env.values(), *client.argv) if leaks(value))


def test_files_with_a_secret_are_mounted_from_the_secret() -> None:
    """All of the step's, relative and absolute ones; no ConfigMap is made."""
    (secret,) = things_of(plan())
    volumes = {each["name"]: each for each in pod_of(plan())["spec"]["volumes"]}

    assert secret["stringData"]["file-0"] == f"password = {MARK}-file\n"
    assert volumes["client-files"]["secret"] == {"secretName": secret["metadata"]["name"]}
    assert volumes["client-placed"]["secret"]["items"] == [{"key": "file-0", "path": "settings.ini"}]


def test_a_file_that_is_a_short_secret_is_mounted_from_the_secret() -> None:
    """Its name says so; what it holds may be a word that stays elsewhere."""
    found = plan(Program(command=("x",), image="i", files={"db_password": "redis", "a": "b"}))

    assert [each["kind"] for each in things_of(found)] == ["Secret"]


def test_a_step_without_secrets_has_no_secret() -> None:
    """Its files are in a ConfigMap; names that only look alike are none."""
    harmless = Program(command=("x",), image="i", env={"TOKENIZER": "llama", "MAX_TOKENS": "9"}, files={"a": "b"})
    (config,) = things_of(plan(harmless))

    assert config["kind"] == "ConfigMap"
    assert "secretKeyRef" not in json.dumps(pod_of(plan(harmless)))


@pytest.mark.parametrize("placement", ["apart", "same-pod"])
def test_a_client_that_is_planned_beforehand_refers_to_the_secret_of_its_run(placement: Any) -> None:
    """The patch is a workflow's parameter; the driver makes the Secret before it lets the pod go."""
    server = Service(**{**vars(SERVER), "placement": placement})
    found = plan(server=server)
    naming, _unit = made(found)
    (secret,) = things_of(found)
    job = found.step("client")
    assert isinstance(job, Job)
    planned = json.dumps(patch(naming, found, job, 1, "runner"))

    assert MARK not in planned
    assert f'"secretKeyRef": {{"name": "{secret["metadata"]["name"]}", "key": "variable-0"}}' in planned


@pytest.mark.parametrize(
    "keys",
    [
        {"ready": Readiness(probe=Probe(kind="http", target=f"/?token={MARK}"), within=5)},
        {"ready": Readiness(probe=Probe(kind="exec", command=("redis-cli", "-a", MARK, "ping")), within=5)},
        {"stop": ("redis-cli", "-a", MARK, "shutdown")},
    ],
)
def test_what_kubernetes_does_by_itself_may_have_no_secret(keys: dict[str, Any]) -> None:
    """In a client's pod; elsewhere the driver asks, and nothing of it is written down. The secret is not repeated."""
    beside = plan(server=Service(**{**vars(SERVER), "placement": "same-pod"} | keys))
    apart = plan(server=Service(**{**vars(SERVER), **keys}))

    make_backend("kubernetes").check(apart)
    with pytest.raises(Unsupported, match="a secret in it would stand in the description") as error:
        make_backend("kubernetes").check(beside)
    assert MARK not in error.value.message


def test_labels_have_no_secret() -> None:
    """They are on every object of a run."""
    found = plan(labels={"team": "a", "token": f"{MARK}label", "note": f"is {MARK}token"})

    assert MARK not in json.dumps(Naming.of(RunLabels("bench-1", found, 0)).metadata("name"))
    assert RunLabels("bench-1", found, 0).to_json()["label.windtunnel.dev/team"] == "a"

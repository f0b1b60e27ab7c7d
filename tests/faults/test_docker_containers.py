"""What a step's container has on Docker, and what becomes of it, whatever its image is like."""

from __future__ import annotations

import json
import signal

import docker.errors
import pytest

from support.docker_lab import RATE, client_server, docker_client, image, run, shell, single_node
from support.lab import SOON, Lab, finish
from windtunnel.backends.docker.container_spec import FOLLOWED

pytestmark = pytest.mark.usefixtures("docker_empty", "nothing_left")


def test_an_image_with_a_user_of_its_own_can_write(lab: Lab) -> None:
    """Work, output and metrics; files and folders are the user's, with no more rights than usual."""
    script = (
        "id -u > $WINDTUNNEL_OUT/user; echo more >> conf/extra.conf; touch here; stat -c %a:%U conf/extra.conf;"
        ' rm conf/extra.conf; echo \'{"metric": "rate", "value": 1}\' >> $WINDTUNNEL_METRICS'
    )
    result = run(lab, single_node(shell(script), '[client.files]\n"conf/extra.conf" = "one"', target="user"))

    assert result.exit_code == 0
    assert (lab.only_run() / "artifacts" / "client.1" / "user").read_text() == "1234\n"
    assert (lab.only_run() / "logs" / "client.1.log").read_text() == "644:app\n"


def test_an_image_without_a_shell_runs_too(lab: Lab) -> None:
    """Also its output and status come back."""
    program = "import sys; print('rate=4', flush=True); sys.stderr.write('done')"
    result = run(lab, single_node(["python3", "-c", program], RATE, target="bare"))

    assert result.record["metrics"]["rate"]["values"] == [4]


def test_files_and_inputs_are_where_they_should_be(lab: Lab) -> None:
    """Relative to the working folder, which is the current one, or at absolute paths; names in them are replaced."""
    (lab.path / "data.txt").write_text("5")
    files = '[client.files]\n"sub/a.conf" = "$ITERATION"\n"/etc/extra/b.conf" = "absolute"'
    inputs = '[[inputs]]\nsrc = "data.txt"\npath = "in/data.txt"\n[[inputs]]\nsrc = "data.txt"\npath = "/srv/data.txt"'
    script = "cat sub/a.conf /etc/extra/b.conf; cat /srv/data.txt; echo; echo rate=$(cat in/data.txt); ls -ld /etc"
    result = run(lab, single_node(shell(script), f"{files}\n{RATE}\n{inputs}"))

    assert result.record["metrics"]["rate"]["values"] == [5]
    first, *_rest, last = (lab.only_run() / "logs" / "client.1.log").read_text().splitlines()
    assert first == "1absolute5"
    assert last.startswith("drwxr-xr-x")


@pytest.mark.parametrize("death", [None, 2])
def test_replicas_share_one_name(lab: Lab, death: int | None) -> None:
    """A client that asks the name finds each of them; the death of one is a dead server."""
    program = (
        "import os, socket, urllib.request as r\n"
        "host, port = os.environ['SERVER_HOST'], os.environ['SERVER_PORT']\n"
        "found = sorted({a[4][0] for a in socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)})\n"
        "for address in found: assert r.urlopen(f'http://{address}:{port}/').status == 200\n"
        "print(f'rate={len(found)}', flush=True)\n"
    )
    if death:
        program += "for n in range(9): r.urlopen(f'http://{found[1]}:{port}/')\nimport time; time.sleep(1000)"
    lines = client_server(server_keys="replicas = 3", server="--die-after 3" if death else "", tables=RATE).splitlines()
    command = f"command = {json.dumps(['python3', '-c', program])}"
    result = run(lab, "\n".join(command if "client.py" in line else line for line in lines))

    assert result.record["resources"]["created"] == 5
    assert (lab.only_run() / "logs" / "server.replica-3.log").exists()
    if death:
        assert result.exit_code == 5
        assert "exited with status 9 while it was needed" in result.record["cause"]["message"]
    else:
        assert result.record["metrics"]["rate"]["values"] == [3]


@pytest.mark.full
def test_the_output_of_every_replica_is_kept(lab: Lab) -> None:
    """Also that of those which nobody listens to while they run."""
    server = f"""
[server]
image = "{image()}"
command = {json.dumps(shell("echo up; echo as well >&2; exec sleep 1000"))}
port = 0
replicas = {FOLLOWED + 2}
ready = {{ exec = ["true"], within = "60s" }}
grace = "1s"
"""
    text = single_node(shell("echo rate=4"), f"{server}{RATE}").replace("single-node", "client-server")
    result = run(lab, text)

    assert result.exit_code == 0, result.stderr
    logs = lab.only_run() / "logs"
    assert [(logs / f"server.replica-{number}.log").read_text() for number in (2, FOLLOWED + 1, FOLLOWED + 2)] == [
        "up\nas well\n"
    ] * 3


@pytest.mark.full
def test_a_replica_and_another_step_are_not_called_alike(lab: Lab) -> None:
    """The second of *a* is a container of its own beside that of *a-2*."""
    server = f"""
image = "{image()}"
command = ["sleep", "1000"]
port = 0
ready = {{ exec = ["true"], within = "20s" }}
grace = "1s"
"""
    servers = f"[servers.a]\nreplicas = 2{server}[servers.a-2]{server}{RATE}"
    text = single_node(shell("echo rate=4"), servers).replace("single-node", "client-server")
    result = run(lab, text)

    assert result.exit_code == 0, result.stderr
    assert result.record["resources"]["created"] == 5


def test_probes_and_stop_commands_run_in_the_servers_container(lab: Lab) -> None:
    """Readiness, liveness and the end; what the stop command wrote is kept."""
    connect = "import os, socket; socket.create_connection(('server', int(os.environ['PORT'])))"
    ready = f"{{ exec = {json.dumps(['python3', '-c', connect])} }}"
    keys = (
        'live = { exec = ["true"], every = "50ms" }\n'
        # It is ended with its container before it is done: that is no failure.
        'stop = ["sh", "-c", "pwd > $WINDTUNNEL_OUT/stopped; kill -TERM -1; sleep 1000"]\ngrace = "20s"'
    )
    result = run(lab, client_server(ready=ready, server_keys=keys).replace('grace = "1s"', ""))

    assert result.exit_code == 0
    assert (lab.only_run() / "artifacts" / "server" / "stopped").read_text() == "/windtunnel/work\n"
    assert "the stop command failed" not in result.stderr


def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(lab: Lab) -> None:
    """The result stands, and the server had its time."""
    result = run(lab, client_server(server="--ignore-term"))

    assert result.exit_code == 0
    (stop,) = [phase for phase in result.record["phases"] if phase["phase"] == "stop"]
    assert 1 <= stop["seconds"] < SOON
    assert (lab.only_run() / "logs" / "server.log").read_text().count("ignoring SIGTERM") == 1


def test_a_big_output_is_kept_whole(lab: Lab) -> None:
    """Twenty megabytes neither block the client nor get lost."""
    command = shell("head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo rate=5")
    result = run(lab, single_node(command, RATE.replace("rate=", "^rate=")))

    assert result.record["metrics"]["rate"]["values"] == [5]
    assert (lab.only_run() / "logs" / "client.1.log").stat().st_size == 20_000_008


def test_the_environment_names_docker_and_the_images(lab: Lab) -> None:
    """By what they are, not only by what they are called."""
    run(lab, single_node(["true"]))
    environment = json.loads((lab.only_run() / "environment.json").read_text())

    with docker_client() as client:
        assert environment["images"]["client"]["id"] == client.images.get(image()).id
        assert environment["docker"]["version"] == client.version()["Version"]
    assert environment["cpus"] >= 1


def test_a_containers_own_volumes_go_with_it(lab: Lab) -> None:
    """An image that declares volumes leaves none behind."""
    with lab.start(
        "run", str(lab.write(client_server(client="--hang-in 1"))), "--backend", "docker", "--json"
    ) as process:
        lab.wait_for("iteration_started")
        with docker_client() as client:
            mounts = client.api.inspect_container(f"{lab.only_run().name}-server")["Mounts"]
            process.send_signal(signal.SIGTERM)
            assert finish(process).exit_code == 130
            assert len(mounts) == 1
            with pytest.raises(docker.errors.NotFound):
                client.api.inspect_volume(mounts[0]["Name"])


def test_containers_of_a_run_carry_its_labels(lab: Lab) -> None:
    """The run, the benchmark, the step, when it expires, and the user's own under a prefix."""
    text = client_server(client="--hang-in 1", keys='labels = { team = "caching" }')
    with lab.start("run", str(lab.write(text)), "--backend", "docker", "--json") as process:
        lab.wait_for("iteration_started")
        name = lab.only_run().name
        with docker_client() as client:
            found = client.api.inspect_container(f"{name}-server")
        process.send_signal(signal.SIGTERM)
        assert finish(process).exit_code == 130

    labels = found["Config"]["Labels"]
    assert labels["windtunnel.dev/run"] == name
    assert labels["windtunnel.dev/benchmark"] == "faulty"
    assert labels["windtunnel.dev/step"] == "server"
    assert labels["windtunnel.dev/expires"].endswith("Z")
    assert labels["label.windtunnel.dev/team"] == "caching"
    assert not found["HostConfig"]["Privileged"]
    assert found["HostConfig"]["Binds"] is None
    assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]

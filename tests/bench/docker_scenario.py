"""The docker backend against a script of the docker command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.docker_lab import image

CLIENT = 'echo "client=$(date +%s.%N)"; sleep 1; echo "value=1"'
_SERVER = "python3 /programs/server.py --host 0.0.0.0 --tell-first-answer --port"
_BY_HAND = """
run=by-hand-$$
docker network create $run >/dev/null
docker run -d --init --name $run-server --network $run --network-alias server IMAGE SERVER 8000 >/dev/null
ip=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $run-server)
until curl -sf http://$ip:8000/ready >/dev/null; do sleep 0.02; done
docker run --init --name $run-client --network $run IMAGE sh -c 'CLIENT' > client.log
docker logs $run-server > server.log 2>&1
grep -o 'value=.*' client.log > result
docker stop -t 10 $run-server >/dev/null
docker rm -f -v $run-server $run-client >/dev/null
docker network rm $run >/dev/null
"""


def by_hand() -> str:
    """Return the script: a network, a server, a wait for its answer, a client of 1 s, everything down again."""
    return _BY_HAND.replace("IMAGE", image()).replace("SERVER", _SERVER).replace("CLIENT", CLIENT)


def write_benchmark(folder: Path) -> Path:
    """Write the same as a benchmark and return where it is."""
    file = folder / "one_second_docker.toml"
    file.write_text(f"""
spec_version = "1"
[benchmark]
name = "one-second-docker"
strategy = "client-server"
[server]
image = "{image()}"
command = {json.dumps([*_SERVER.split(), "$PORT"])}
port = 0
ready = {{ http = "/ready" }}
[client]
image = "{image()}"
command = {json.dumps(["sh", "-c", CLIENT.replace("$", "$$")])}
[[metrics]]
name = "value"
pattern = 'value=(\\d+)'
""")
    return file


def is_possible(say: Callable[[str], None]) -> bool:
    """Tell whether there is a Docker daemon; say why not."""
    from windtunnel.backends import make_backend

    if reason := make_backend("docker").available():
        say(f"left out, docker: {reason}")
        return False
    return True

"""Benchmarks of real servers: redis, nginx, and a PostgreSQL made for one run.

Each is of programs on this machine, or with ``image`` of those in the tests' image of servers,
where the server listens for clients on other machines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from support.needs import program

_REDIS = """
spec_version = "1"
[benchmark]
name = "redis"
strategy = "client-server"
timeout = "{timeout}"
[server]
{image}
command = ["redis-server", "--save", "", "--port", "$PORT", "--bind", "{address}", "--protected-mode", "no"]
port = 0
ready = {{ exec = ["redis-cli", "-p", "$PORT", "ping"], within = "10s" }}
live = {{ tcp = true, every = "200ms" }}
stop = ["redis-cli", "-p", "$PORT", "shutdown", "nosave"]
[client]
{image}
command = ["redis-benchmark", "-h", "$SERVER_HOST", "-p", "$SERVER_PORT", "-t", "get,set", "-n", "{requests}", "--csv"]
[run]
warmup = 1
repeats = 3
[[metrics]]
parser = "redis-benchmark"
"""

_NGINX = """
spec_version = "1"
[benchmark]
name = "nginx"
strategy = "client-server"
timeout = "{timeout}"
[server]
{image}
command = ["nginx", "-p", "$WINDTUNNEL_WORK", "-c", "nginx.conf"]
port = 0
ready = {{ http = "/", within = "10s" }}
[server.files]
"nginx.conf" = '''
daemon off;
pid nginx.pid;
error_log stderr;
worker_processes 2;
events {{}}
http {{
    access_log {access_log};
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    server {{
        listen {address}:$PORT;
        location / {{ return 200 "hello"; }}
        location /missing {{ return 404; }}
        location /broken {{ return 500; }}
    }}
}}
'''
"""

SIEGE_KEYS = """env = { HOME = "$WINDTUNNEL_WORK" }
[client.files]
siegerc = "color = on"
"""
"""siege writes into its home, and takes what is in ~/.siegerc."""


def redis(*, image: str | None = None) -> str:
    """Return a benchmark of redis under redis-benchmark, GET and SET."""
    if image is None:
        program("redis-server", "redis")
        program("redis-benchmark", "redis")
    return _REDIS.format(**_ground(image), requests=5000)


def nginx(
    client: Sequence[str],
    tables: str,
    *,
    client_keys: str = "",
    repeats: int = 3,
    image: str | None = None,
    access_log: str = "off",
) -> str:
    """Return a benchmark of nginx, which answers with ``hello``, or with 404 or 500 at ``/missing`` and ``/broken``.

    Args:
        client: The command that measures.
        tables: The metrics, and whatever comes after them.
        client_keys: More of the client's table.
        repeats: How often it measures.
        image: The image of both.
        access_log: Where it writes a line for each request.
    """
    if image is None:
        program("nginx", "nginx")
    ground = _ground(image)
    return f"""{_NGINX.format(**ground, access_log=access_log)}
[client]
{ground["image"]}
command = {json.dumps(list(client))}
{client_keys}
[run]
repeats = {repeats}
{tables}
"""


def postgres(client: str, tables: str, *, folder: Path | None = None, image: str | None = None) -> str:
    """Return a benchmark of a PostgreSQL server made for it alone.

    Args:
        client: The shell command that measures, with ``{pgbench}`` and ``{connect}`` for the program and its options.
        tables: The metrics, and whatever comes after them.
        folder: Where its data are; the user postgres has to reach it. In an image it is the server's own.
        image: The image of both.
    """
    ground = _ground(image)
    if image is None:
        binaries = f"{Path(program('initdb', 'postgresql')).parent}/"
        pgbench = program("pgbench", "postgresql")
    else:
        binaries, pgbench = "", "pgbench"
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    prefix = as_user if image is None and os.geteuid() == 0 else []
    home = folder or "$WINDTUNNEL_WORK"
    start = (
        f"cd {home} && {binaries}initdb --auth=trust --no-sync -U postgres -D {home}/data >/dev/null"
        f" && echo host all all all trust >>{home}/data/pg_hba.conf"
        f" && exec {binaries}postgres -D {home}/data -p $PORT -h {ground['address']} -k {home} -c fsync=off"
    )
    ready = [f"{binaries}pg_isready", "-q", "-h", "127.0.0.1", "-p", "$PORT"]
    stop = [*prefix, f"{binaries}pg_ctl", "-D", f"{home}/data", "-m", "fast", "-w", "stop"]
    connect = "-h $SERVER_HOST -p $SERVER_PORT -U postgres postgres"
    return f"""
spec_version = "1"
[benchmark]
name = "postgres"
strategy = "client-server"
timeout = "{ground["timeout"]}"
[server]
{ground["image"]}
command = {json.dumps([*prefix, "sh", "-c", start])}
port = 0
ready = {{ exec = {json.dumps(ready)}, within = "30s" }}
stop = {json.dumps(stop)}
[client]
{ground["image"]}
command = {json.dumps(["sh", "-c", client.format(pgbench=pgbench, connect=connect)])}
[run]
repeats = 3
{tables}
"""


def _ground(image: str | None) -> dict[str, str]:
    """Return what differs between programs of this machine and those of an image."""
    if image is None:
        return {"image": "", "address": "127.0.0.1", "timeout": "60s"}
    return {"image": f'image = "{image}"', "address": "0.0.0.0", "timeout": "150s"}

"""Benchmarks of real servers: nginx, and a PostgreSQL made for one run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from support.needs import program

_NGINX = """
spec_version = "1"
[benchmark]
name = "nginx"
strategy = "client-server"
timeout = "60s"
[server]
command = ["nginx", "-p", "$WINDTUNNEL_WORK", "-c", "nginx.conf"]
port = 0
ready = { http = "/", within = "10s" }
[server.files]
"nginx.conf" = '''
daemon off;
pid nginx.pid;
error_log stderr;
worker_processes 2;
events {}
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    server {
        listen 127.0.0.1:$PORT;
        location / { return 200 "hello"; }
        location /missing { return 404; }
        location /broken { return 500; }
    }
}
'''
"""


def nginx(client: Sequence[str], tables: str, *, client_keys: str = "", repeats: int = 3) -> str:
    """Return a benchmark of nginx, which answers with ``hello``, or with 404 or 500 at ``/missing`` and ``/broken``.

    Args:
        client: The command that measures.
        tables: The metrics, and whatever comes after them.
        client_keys: More of the client's table.
        repeats: How often it measures.
    """
    program("nginx", "nginx")
    return f"""{_NGINX}
[client]
command = {json.dumps(list(client))}
{client_keys}
[run]
repeats = {repeats}
{tables}
"""


def postgres(folder: Path, client: str, tables: str) -> str:
    """Return a benchmark of a PostgreSQL server made for it alone in `folder`.

    Args:
        folder: Where its data are; the user postgres has to reach it.
        client: The shell command that measures, with ``{pgbench}`` and ``{connect}`` for the program and its options.
        tables: The metrics, and whatever comes after them.
    """
    binaries = Path(program("initdb", "postgresql")).parent
    pgbench = program("pgbench", "postgresql")
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    data = folder / "data"
    start = (
        f"cd {folder} && {binaries}/initdb --auth=trust --no-sync -U postgres -D {data} >/dev/null"
        f" && exec {binaries}/postgres -D {data} -p $PORT -h 127.0.0.1 -k {folder} -c fsync=off"
    )
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", "$PORT"]
    stop = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop"]
    connect = "-h $SERVER_HOST -p $SERVER_PORT -U postgres postgres"
    return f"""
spec_version = "1"
[benchmark]
name = "postgres"
strategy = "client-server"
timeout = "60s"
[server]
command = {json.dumps([*as_user, "sh", "-c", start])}
port = 0
ready = {{ exec = {json.dumps(ready)}, within = "30s" }}
stop = {json.dumps(stop)}
[client]
command = {json.dumps(["sh", "-c", client.format(pgbench=pgbench, connect=connect)])}
[run]
repeats = 3
{tables}
"""

"""A small client that measures latencies over one connection; `--fail` and `--hang` are its faults."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

OPTIONS = argparse.ArgumentParser()
OPTIONS.add_argument("host")
OPTIONS.add_argument("port", type=int)
OPTIONS.add_argument("--requests", type=int, default=5)
OPTIONS.add_argument("--fail-in", type=int, default=None, help="exit with status 3 in this iteration")
OPTIONS.add_argument("--hang-in", type=int, default=None, help="never end in this iteration")
OPTIONS.add_argument("--leave", action="store_true", help="leave a process in a session of its own")

arguments = OPTIONS.parse_args()
iteration = int(os.environ["ITERATION"])
with (
    socket.create_connection((arguments.host, arguments.port), timeout=30) as connection,
    Path(os.environ["WINDTUNNEL_METRICS"]).open("a", encoding="utf-8") as metrics,
):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(arguments.requests):
        start = time.perf_counter()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if not connection.recv(65536):
            sys.exit("client: the server closed the connection")
        seconds = time.perf_counter() - start
        metrics.write(json.dumps({"metric": "latency", "value": seconds * 1000, "unit": "ms"}) + "\n")
        metrics.flush()
if arguments.leave:
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
if iteration == arguments.hang_in:
    print("client: hanging", flush=True)
    time.sleep(3600)
if iteration == arguments.fail_in:
    print("client: something is wrong", flush=True)
    sys.exit(3)

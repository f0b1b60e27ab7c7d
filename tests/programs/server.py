"""A small HTTP server whose faults can be chosen; the tests' stand-in for a server that misbehaves.

Every answer to GET is sent `--latency` seconds after the request was read, to some 0.1 ms.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import signal
import socket
import sys
import threading
import time

OPTIONS = argparse.ArgumentParser()
OPTIONS.add_argument("--port", type=int, required=True)
OPTIONS.add_argument("--host", default="127.0.0.1")
OPTIONS.add_argument("--latency", type=float, default=0.0, help="seconds until each answer")
OPTIONS.add_argument("--bind-after", type=float, default=0.0, help="seconds until the port is open; -1: never")
OPTIONS.add_argument("--unready", action="store_true", help="GET /ready answers 503")
OPTIONS.add_argument("--die-at-start", type=int, default=None, help="exit with this status before the port is open")
OPTIONS.add_argument("--die-after", type=int, default=None, help="exit with status 9 at this request to /")
OPTIONS.add_argument("--hang-after", type=int, default=None, help="answer nothing from this request to / on")
OPTIONS.add_argument("--ignore-term", action="store_true", help="do nothing on SIGTERM")
OPTIONS.add_argument("--tell-first-answer", action="store_true", help="print when /ready was answered first")
OPTIONS.add_argument("--eat-after", type=int, default=None, help="take 200 MB of memory at this request to /")
OPTIONS.add_argument("--daemon", action="store_true", help="go to the background in a session of its own")
OPTIONS.add_argument("--late", action="store_true", help="with --daemon: not before the first request to /")
OPTIONS.add_argument("--end-main-thread", action="store_true", help="serve in a thread, and end the main one")

arguments = OPTIONS.parse_args()
requests = itertools.count(1)
answers = itertools.count(1)
served: list[int] = [0]
eaten: list[bytes] = []


def answer(connection: socket.socket) -> None:
    """Serve one connection until its other end closes it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in buffer:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                buffer += chunk
            deadline = time.perf_counter() + arguments.latency
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            path = head.split()[1].decode()
            status = respond_to(path)
            # A sleep wakes late: sleep most of the time, and look at the clock for the rest.
            while (rest := deadline - time.perf_counter()) > 0:
                if rest > 0.0005:
                    time.sleep(rest - 0.0003)
            if path == "/ready" and arguments.tell_first_answer and next(answers) == 1:
                print(f"first-answer={time.time():.6f}", flush=True)
            connection.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok".encode())


def respond_to(path: str) -> int:
    """Return the status for a path, after the fault that is due with it."""
    if path == "/ready":
        return 503 if arguments.unready else 200
    if path == "/":
        # next() of a count is one step for every thread.
        served[0] = count = next(requests)
        if arguments.late and count == 1:
            os.close(foreground)
        if arguments.die_after is not None and count >= arguments.die_after:
            print(f"server: dying at request {count}", flush=True)
            os._exit(9)
        if count == arguments.eat_after:
            eaten.append(b"x" * 200_000_000)
    if arguments.hang_after is not None and served[0] >= arguments.hang_after:
        time.sleep(3600)
    return 200


def serve(listener: socket.socket) -> None:
    """Serve all connections, each in a thread of its own."""
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=answer, args=(accepted,), daemon=True).start()


if arguments.daemon:
    end, foreground = os.pipe()
    if os.fork():
        os.close(foreground)
        if arguments.late:
            os.read(end, 1)  # returns when all who could write have ended, or closed it
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if arguments.ignore_term:
    signal.signal(signal.SIGTERM, lambda *_: print("server: ignoring SIGTERM", flush=True))
print(f"server: starting, process {os.getpid()}", flush=True)
if arguments.die_at_start is not None:
    print("server: no configuration, giving up", file=sys.stderr, flush=True)
    sys.exit(arguments.die_at_start)
if arguments.bind_after < 0:
    while True:
        print("server: still thinking", flush=True)
        time.sleep(0.5)
time.sleep(arguments.bind_after)
with socket.create_server((arguments.host, arguments.port), backlog=64) as listener:
    print("server: listening", flush=True)
    if arguments.end_main_thread:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        # The kernel shows the process as a zombie from now on, as long as the other thread lives.
        ctypes.CDLL(None).pthread_exit(None)
    serve(listener)

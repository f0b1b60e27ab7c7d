"""One benchmark file, every backend: servers are ready, alive and stopped alike, and their last words are kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.lab import Lab, Result

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]
Run = Callable[..., Result]
LAST_WORDS = 100  # MiB
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'


def test_what_a_server_writes_at_its_end_is_kept(lab: Lab, run: Run) -> None:
    """A hundred megabytes within its grace; that they have to get somewhere is not the server's time."""
    text = one_server(f"""
import os, signal, socket
def stop(*_):
    with open(os.environ["WINDTUNNEL_OUT"] + "/big", "wb") as big:
        for number in range({LAST_WORDS}):
            big.write(bytes(range(256)) * 4096)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    server.accept()
""")
    result = run(text)

    assert result.exit_code == 0, result.stderr
    (kept,) = (lab.only_run() / "artifacts" / "server").iterdir()
    assert kept.stat().st_size == LAST_WORDS << 20


def one_server(program: str) -> str:
    """Return a benchmark of a server in Python, and a client that has nothing to do."""
    return f"""
spec_version = "1"
[benchmark]
name = "written"
strategy = "client-server"
timeout = "2m"
[server]
image = "IMAGE"
command = ["python3", "-u", "server.py"]
files = {{ "server.py" = '''{program}''' }}
port = 0
grace = "2s"
[client]
image = "IMAGE"
command = ["echo", "rate=1"]
{RATE}
"""


def several_servers(*names: str) -> str:
    """Return a benchmark of servers that are ready and alive in the ways there are; each has a stop command."""
    program = """
import http.server, os, signal, sys, threading
def stop(*_): print("stopped by its command", flush=True); os._exit(0)
signal.signal(signal.SIGUSR1, stop)
open("pid", "w").write(str(os.getpid()))
class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/", "/ready?deep=1") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Pages)
print("listening: on", os.environ["PORT"], flush=True)
server.serve_forever()
"""
    python = "import os, signal; os.kill(int(open('pid').read()), signal.SIGUSR1)"
    probes = {
        "http": ('http = "/ready?deep=1"', 'http = "/"'),
        "tcp": ("tcp = true", "tcp = true"),
        "exec": ('exec = ["sh", "-c", "test -s pid && test -n \\"$PORT\\""]', 'exec = ["test", "-s", "pid"]'),
        "log": ('log = "^listening: on \\\\d+$"', "tcp = true"),
    }
    tables = ""
    for name in names:
        ready, live = probes[name]
        tables += f"""
[servers.{name}]
image = "IMAGE"
command = ["python3", "-u", "server.py"]
files = {{ "server.py" = '''{program}''' }}
port = 0
ready = {{ {ready}, within = "40s" }}
live = {{ {live}, every = "500ms", timeout = "10s" }}
stop = ["python3", "-c", {json.dumps(python)}]
"""
    ask = """
import os, urllib.request
for name in NAMES:
    assert urllib.request.urlopen(os.environ[name + "_URL"] + "/").status == 200
    assert os.environ[name + "_URL"] == "http://" + os.environ[name + "_HOST"] + ":" + os.environ[name + "_PORT"]
print("rate=4")
"""
    return f"""
spec_version = "1"
[benchmark]
name = "probed"
strategy = "client-server"
timeout = "2m"
{tables}
[client]
image = "IMAGE"
command = ["python3", "ask.py"]
files = {{ "ask.py" = '''{ask.replace("NAMES", repr([name.upper() for name in names]))}''' }}
{RATE}
"""


@pytest.mark.long
def test_servers_are_ready_alive_and_stopped_in_all_the_ways_there_are(lab: Lab, run: Run) -> None:
    """Four servers with a probe of each kind; the client reaches each by its own address."""
    names = ("http", "tcp", "exec", "log")
    result = run(several_servers(*names))

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [4]
    for name in names:
        assert (lab.only_run() / "logs" / f"{name}.log").read_text().endswith("stopped by its command\n")
    assert "stop command failed" not in result.stderr


@pytest.mark.long
def test_a_fixed_port_is_the_servers_own(lab: Lab, run: Run) -> None:
    """Also where each server has an address of its own."""
    result = run(several_servers("http").replace("port = 0", "port = 28471"))

    assert result.exit_code == 0, result.stderr
    assert (lab.only_run() / "logs" / "http.log").read_text().startswith("listening: on 28471\n")


@pytest.mark.full
def test_a_matrix_of_replicas_is_a_run_each(lab: Lab, backend: str, run: Run) -> None:
    """Where there are replicas, the client finds as many addresses, or one that leads to all of them."""
    result = run(several_servers("http") + '[matrix]\n"servers.http.replicas" = [1, 2]\n')

    if backend == "process":
        assert result.exit_code == 2
        return
    assert result.exit_code == 0, result.stderr
    runs = json.loads(result.stdout)["runs"]
    logs = [sorted(path.name for path in (lab.path / each["path"] / "logs").glob("http*")) for each in runs]
    assert logs == [["http.log"], ["http.log", "http.replica-2.log"]]

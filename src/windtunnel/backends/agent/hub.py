"""The warden's own program: it ends the run when its driver is gone, and hands files from pod to pod.

It runs in the pod of the Job that owns all objects of the run. It watches the Lease that the
driver renews; when that has not been renewed for as long as it lasts, this ends, the Job with
it, and Kubernetes deletes the Job and all that it owns. Until then it gives inputs to the pods
(``GET /inputs/NAME``) and takes in what their steps use and write (``POST /usage/NAME``,
``PUT /results/NAME``).
"""

from __future__ import annotations

import hmac
import http.server
import json
import os
import shutil
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from windtunnel.backends.agent.places import (
    KEY,
    PORT,
    TIME_HEADER,
    TOKEN_HEADER,
    input_file,
    result_file,
    token_for,
    usage_file,
)

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOKS_A_LEASE = 10
CALL_SECONDS = 5.0
NOT_FOUND, FORBIDDEN, CREATED = 404, 403, 201


class Files(http.server.BaseHTTPRequestHandler):
    """Hands out inputs and takes in results; each path has a token of its own."""

    protocol_version = "HTTP/1.1"
    key = b""

    def do_GET(self) -> None:
        """Hand out an input."""
        path = input_file(self.path.rpartition("/")[2])
        if not self.is_allowed() or not self.path.startswith("/inputs/") or not path.is_file():
            self.refuse()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def do_PUT(self) -> None:
        """Take in what a step wrote; it is there for others once it is there as a whole."""
        if not self.is_allowed() or not self.path.startswith("/results/"):
            self.refuse()
            return
        path = result_file(self.path.rpartition("/")[2])
        part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
        with part.open("wb") as file:
            self.copy_chunks(file)
        part.replace(path)
        self.answer(CREATED)

    def do_POST(self) -> None:
        """Take in more of what a pod uses."""
        if not self.is_allowed() or not self.path.startswith("/usage/"):
            self.refuse()
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with usage_file(self.path.rpartition("/")[2]).open("ab") as file:
            file.write(data)
        self.answer(CREATED)

    def copy_chunks(self, file) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any file
        """Copy a body that comes in chunks (RFC 9112, 7.1); ConnectionError if it ends too soon."""
        while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
            missing = size
            while missing > 0 and (piece := self.rfile.read(min(missing, 1 << 20))):
                file.write(piece)
                missing -= len(piece)
            if size < 0 or missing:
                raise ConnectionError("the body ended too soon")
            self.rfile.readline()
        self.rfile.readline()

    def is_allowed(self) -> bool:
        """Tell whether the caller was given this path."""
        return hmac.compare_digest(self.headers.get(TOKEN_HEADER, ""), token_for(self.key, self.path))

    def refuse(self) -> None:
        """Say that there is nothing, to whomever it is."""
        self.close_connection = True
        self.answer(NOT_FOUND)

    def answer(self, status: int) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header(TIME_HEADER, repr(time.time()))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        """Write down refusals and errors alone."""


class Lease:
    """The Lease, looked at through the API with the pod's own account."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url, self.seconds = url, seconds
        self.context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        self.renewed: str | None = None
        self.left = seconds

    def look(self, passed: float) -> None:
        """Look once, `passed` seconds after the last look.

        Clocks of two machines differ, so only a change counts, not the time that stands in it.
        While the API does not answer, the driver cannot renew either: that time does not count.
        """
        renewed: str | None
        try:
            renewed = self.read()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != NOT_FOUND:
                return
            renewed = None
        except (OSError, ValueError, KeyError):
            return
        if renewed is not None and renewed != self.renewed:
            self.renewed, self.left = renewed, self.seconds
        else:
            self.left -= passed

    def read(self) -> str:
        """Return when it was renewed, as it says."""
        return str(self.ask("GET", self.url)["spec"]["renewTime"])

    def stop(self, api: str, workflow: str, run: str) -> None:
        """Have a workflow stopped that waits for the run, in vain, and delete the pods that it made for the run."""
        pods = f"/api/v1/namespaces/{workflow.split('/')[5]}/pods?labelSelector=windtunnel.dev%2Frun%3D{run}"
        for method, url, body in (
            ("PATCH", workflow, {"spec": {"shutdown": "Stop"}}),
            ("DELETE", f"{pods}%2Cworkflows.argoproj.io%2Fworkflow", None),
        ):
            try:
                self.ask(method, api + url, body)
            except (OSError, ValueError) as error:
                sys.stderr.write(f"stopping the workflow: {error}\n")

    def ask(self, method: str, url: str, body=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - any JSON
        """Ask the API with the pod's own account, and return its answer."""
        token = (ACCOUNT / "token").read_text(encoding="ascii")
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/merge-patch+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - https
        with urllib.request.urlopen(request, timeout=CALL_SECONDS, context=self.context) as answer:  # noqa: S310
            return json.load(answer)


def main() -> None:
    """Run until the driver is gone, or SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: over.set())
    for folder in (input_file("x").parent, result_file("x").parent, usage_file("x").parent):
        folder.mkdir(parents=True, exist_ok=True)
    Files.key = KEY.read_bytes()
    server = http.server.ThreadingHTTPServer(("", PORT), Files)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    seconds = float(os.environ["WINDTUNNEL_LEASE_SECONDS"])
    host = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    if ":" in os.environ["KUBERNETES_SERVICE_HOST"]:
        host = f"[{os.environ['KUBERNETES_SERVICE_HOST']}]:{os.environ['KUBERNETES_SERVICE_PORT']}"
    api = f"https://{host}"
    lease = Lease(api + os.environ["WINDTUNNEL_LEASE"], seconds)
    last = time.monotonic()
    while lease.left > 0 and not over.wait(seconds / LOOKS_A_LEASE):
        if not serving.is_alive():
            sys.exit("the warden cannot hand out files any more; the run ends")
        now = time.monotonic()
        # A node that stood still is no reason: whoever looks late has to look again first.
        lease.look(min(now - last, 2 * seconds / LOOKS_A_LEASE))
        last = now
    if lease.left <= 0:
        sys.stderr.write(f"the driver has not renewed its lease for {seconds:g} s; the run ends\n")
        if workflow := os.environ.get("WINDTUNNEL_WORKFLOW"):
            lease.stop(api, workflow, os.environ["WINDTUNNEL_RUN"])


if __name__ == "__main__":
    main()

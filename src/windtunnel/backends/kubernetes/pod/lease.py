"""The warden's program: it ends the run when its driver is gone, and is its hub until then.

It runs in the pod of the Job that owns all objects of the run. It watches the Lease that the
driver renews; when that has not been renewed for as long as it lasts, this ends, the Job with
it, and Kubernetes deletes the Job and all that it owns.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from windtunnel.backends.agent.hub import Hub
from windtunnel.backends.agent.places import KEY

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOKS_A_LEASE = 10
CALL_SECONDS = 5.0
NOT_FOUND = 404


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

    def tell(self, api: str, calls) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any JSON
        """Make calls of the API by which others hear that the run is over: method, path and body each."""
        for method, path, body in calls:
            try:
                self.ask(method, api + path, body)
            except (OSError, ValueError) as error:
                sys.stderr.write(f"{method} {path}: {error}\n")

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
    hub = Hub(KEY.read_bytes())
    seconds = float(os.environ["WINDTUNNEL_LEASE_SECONDS"])
    host = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    if ":" in os.environ["KUBERNETES_SERVICE_HOST"]:
        host = f"[{os.environ['KUBERNETES_SERVICE_HOST']}]:{os.environ['KUBERNETES_SERVICE_PORT']}"
    api = f"https://{host}"
    lease = Lease(api + os.environ["WINDTUNNEL_LEASE"], seconds)
    last = time.monotonic()
    while lease.left > 0 and not over.wait(seconds / LOOKS_A_LEASE):
        hub.check()
        now = time.monotonic()
        # A node that stood still is no reason: a look that comes late has to be repeated first.
        lease.look(min(now - last, 2 * seconds / LOOKS_A_LEASE))
        last = now
    if lease.left <= 0:
        sys.stderr.write(f"the driver has not renewed its lease for {seconds:g} s; the run ends\n")
        lease.tell(api, json.loads(os.environ["WINDTUNNEL_LAST_CALLS"]))

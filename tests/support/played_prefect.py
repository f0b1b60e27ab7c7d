"""A Prefect server that is only played: it has any flow run, in one state."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4


@contextmanager
def server_says(state: str, set_states: list[dict[str, Any]] | None = None) -> Iterator[str]:
    """Yield the address of a server that has any flow run in a state.

    Args:
        state: The state's type.
        set_states: Gets what the server is asked to set a state to, each time.
    """
    asked = [] if set_states is None else set_states

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            run = {"id": str(uuid4()), "flow_id": str(uuid4()), "state": {"type": state}}
            if "/csrf-token" in self.path:
                self.send_error(404)
            else:
                self._answer(run if "/flow_runs/" in self.path else "3.9.1")

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            accepted = {"type": "accept_details"}
            self._answer({"state": asked[-1]["state"], "status": "ACCEPT", "details": accepted})

        def _answer(self, answer: object) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()
            thread.join()

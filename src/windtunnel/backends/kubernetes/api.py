"""The API of a cluster: one way to ask it, and its refusals in our words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import WSClient, get_websocket_url
from urllib3.exceptions import HTTPError
from websocket import WebSocketBadStatusException

from windtunnel.backends.kubernetes.admission import is_made_of
from windtunnel.backends.kubernetes.kubeconfig import load
from windtunnel.backends.kubernetes.outage import Patience
from windtunnel.backends.kubernetes.paths import api_path
from windtunnel.backends.kubernetes.settings import named_namespace
from windtunnel.errors import PlatformError

API_LOST = "api_lost"
"""The code of errors that tell that the API did not answer."""
CALL_SECONDS = 30.0
OUTAGE_SECONDS = 60.0
"""How long the API may be away: a server that restarts, a control plane that moves."""
NO_RIGHT_SECONDS = 4.0
"""How long rights may be missing: a server that has just started does not know all of them yet."""
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 2.0
FORBIDDEN, NOT_FOUND, CONFLICT, GONE = 403, 404, 409, 410
_REFUSED, _TOO_MANY, _BROKEN = 400, 429, 500
_NO_RIGHT = (401, FORBIDDEN)
_METHODS = {
    "PATCH": ("PATCH", "application/merge-patch+json"),
    "APPLY": ("PATCH", "application/apply-patch+yaml"),  # server-side apply; JSON is YAML
}
T = TypeVar("T")


class Refused(Exception):
    """The API's answer to what it will not do.

    Attributes:
        status: HTTP's number.
        message: Its words.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def code(self) -> str:
        """A stable word for machines."""
        if is_quota(self.message):
            return "quota"
        return {401: "unauthorized", FORBIDDEN: "forbidden", NOT_FOUND: "removed"}.get(self.status, "rejected")

    @property
    def is_final(self) -> bool:
        """Whether it is a matter of rights, which asking again does not change."""
        return self.status in _NO_RIGHT

    def to_error(self, what: str, step: str | None = None) -> PlatformError:
        """Return it as an error that says what was asked for."""
        begin = f"{step}: {what}" if step else what
        return PlatformError(f"{begin}: {self.message}", code=self.code, step=step)


def is_quota(message: str) -> bool:
    """Tell from the API's words whether a quota was the reason."""
    return "exceeded quota" in message or "failed quota" in message


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster.

    Attributes:
        api: The client, with credentials.
        namespace: The namespace.
        context: What the user calls the cluster.
        patience: How long answers are waited for.
    """

    api: ApiClient
    namespace: str
    context: str
    patience: Patience = field(default_factory=Patience)

    def path(self, kind: str, name: str = "") -> str:
        """Return where an object is, or all of its kind."""
        return api_path(self.namespace, kind, name)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        timeout: float = CALL_SECONDS,
    ) -> Any:
        """Ask once and return the answer's JSON.

        Raises:
            Refused: The API says no.
            OSError: It does not answer.
        """

        def answered() -> Any:
            answer = self.open(method, path, body, query, timeout)
            try:
                return json.loads(answer.data or b"null")
            except HTTPError as error:
                raise OSError(_brief(error)) from None

        return self.patience.wait(answered)

    def open(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None, timeout: Any = None
    ) -> Any:
        """Ask once and return the answer as it comes, an open response of urllib3's; raises as `ask` does."""
        verb, kind = _METHODS.get(method, (method, "application/json"))
        headers = {"Accept": "application/json", "Content-Type": kind}
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            serialised = self.api.param_serialize(
                verb, target, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = self.api.call_api(*serialised, _request_timeout=timeout).response
            if answer.status < _REFUSED:
                return answer
            text = answer.data
        except (HTTPError, ApiException) as error:
            raise OSError(_brief(error)) from None
        raise Refused(answer.status, _words(text))

    def retry(self, what: Callable[[], T]) -> T:
        """Do `what` until the API answers, an outage long (PlatformError after that; what it refuses is raised)."""
        deadline, pause = time.monotonic() + OUTAGE_SECONDS, _FIRST_PAUSE
        while True:
            try:
                return what()
            except Refused as error:
                if error.status != _TOO_MANY and error.status < _BROKEN:
                    raise
                problem = error.message
            except OSError as error:
                problem = str(error)
            if time.monotonic() > deadline or self.patience.is_over:
                self.patience.is_lost = True
                raise PlatformError(f"the cluster's API does not answer: {problem}", code=API_LOST)
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """Ask until the API answers, and return the answer's JSON (Refused, PlatformError)."""
        return self.retry(lambda: self.ask(method, path, body, query))

    def create(self, thing: Mapping[str, Any]) -> Any:
        """Create an object and return it; one that was created though the answer was lost is returned too."""
        wanted = thing["metadata"]
        try:
            return self.call("POST", self.path(thing["kind"]), thing)
        except Refused as error:
            if error.status != CONFLICT:
                raise
            there = self.call("GET", self.path(thing["kind"], wanted["name"]))
            if not is_made_of(there["metadata"], wanted):
                raise
            return there

    def delete(self, kind: str, name: str, grace: float | None = None) -> None:
        """Delete an object and what it owns; one that is gone already is fine."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = round(grace)
        try:
            self.call("DELETE", self.path(kind, name), options)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise

    def find(self, kind: str, selector: str) -> list[Any]:
        """Return all objects of a kind that have some labels."""
        return list(self.call("GET", self.path(kind), query={"labelSelector": selector})["items"])

    def now(self) -> float:
        """Return the time of the API's clock in seconds since the epoch, cut to whole ones (Refused, OSError)."""
        answer = self.open("GET", "/version", timeout=CALL_SECONDS)
        answer.release_conn()
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()

    def execute(self, pod: str, container: str, command: list[str], *, stdin: bool = False) -> WSClient:
        """Run a command in a container and return its streams.

        Raises:
            Refused: The API, or the node, says no.
            OSError: It could not be begun.
        """
        flags = {"container": container, "stdin": stdin, "stdout": True, "stderr": True}
        query = [*((name, str(value).lower()) for name, value in flags.items()), *(("command", w) for w in command)]
        path = f"{self.path('Pod', pod)}/exec"
        _method, url, headers, *_ = self.api.param_serialize("GET", path, auth_settings=["BearerToken"])
        address, configuration = get_websocket_url(url, query), self.api.configuration
        try:
            return self.patience.wait(lambda: WSClient(configuration, address, headers, capture_all=False))
        except WebSocketBadStatusException as error:
            raise Refused(error.status_code, _words(error.resp_body or b"")) from None
        except Exception as error:  # noqa: BLE001 - websocket-client has errors of many families
            raise OSError(_brief(error)) from None


@contextmanager
def map_errors(what: str, step: str | None = None) -> Iterator[None]:
    """Turn what the API refuses into a PlatformError that says what was asked for."""
    try:
        yield
    except Refused as error:
        raise error.to_error(what, step) from None


def connect(namespace: str | None = None) -> Cluster:
    """Return the namespace that the kubeconfig's current context names, or this pod's own.

    ``WINDTUNNEL_NAMESPACE`` names another one.

    Args:
        namespace: Yet another one, whatever these say.

    Raises:
        PlatformError: No cluster is configured.
        UsageError: What that names is none.
    """
    configuration = Configuration()
    default, name = load(configuration)
    configuration.connection_pool_maxsize = 64
    chosen = namespace or named_namespace() or default or "default"
    return Cluster(ApiClient(configuration), chosen, name)


def _words(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace").strip() or "refused"


def _brief(error: Exception) -> str:
    """Return the innermost reason: urllib3 wraps each in others, with objects' addresses in the text."""
    reason: Any = error
    while (inner := getattr(reason, "reason", None)) and isinstance(inner, Exception):
        reason = inner
    return str(reason).rpartition(">: ")[2].rpartition(": ")[2] or type(reason).__name__

"""The driver's side of the line protocol, over any channel."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from windtunnel.backends.agent.channels import Channel
from windtunnel.backends.agent.protocol import VERSION, Lines
from windtunnel.errors import PlatformError, WindtunnelError

AGENT_VERSION = "agent_version"
"""The code of errors that tell that the agent speaks another version of the protocol."""
_NOT_INSTALLED = "No module named"
"""What Python says where there is no such agent, or not yet."""


def agent_bug(who: str, trace: Sequence[str]) -> WindtunnelError:
    """Return a bug in a program beside the run as an error, by what Python said of it."""
    lines = tuple(line for line in trace if line.strip())
    words = lines[-1] if lines else "it said nothing"
    return WindtunnelError(f"a bug of Windtunnel's, in {who}: {words}", log_tail=lines)


class Client:
    """One agent, which is asked, and heard. Any thread may ask.

    Args:
        channel: The way to it.
        hear: Called with each event, by the thread that reads.
        who: What the agent is called in messages.
    """

    def __init__(
        self, channel: Channel, hear: Callable[[dict[str, Any]], None] = lambda _event: None, who: str = "the agent"
    ) -> None:
        self._channel, self._hear, self._who = channel, hear, who
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._greeting: Future[None] = Future()
        self._reason: Exception = OSError("the connection was closed")
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether it may be asked: the channel is neither closed nor lost."""
        return not self._is_closed

    def read(self) -> None:
        """Hand out answers and events until the channel's end; a thread of its owner's does so.

        Raises:
            Exception: A bug in doing so, which is handed to all who wait for answers too.
        """
        try:
            self._read()
        except OSError as error:
            self._reason = error
        except Exception as error:
            self._reason = error
            raise
        finally:
            self._end()

    def await_hello(self, seconds: float) -> None:
        """Wait until the agent is there and speaks this protocol.

        Raises:
            TimeoutError: It does not within so many seconds.
            OSError: The channel is lost.
            PlatformError: It speaks another version (``agent_version``).
        """
        self._greeting.result(seconds)

    def ask(self, deed: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        """Have something done, and return the answer, which may tell of an ``error``.

        Args:
            deed: What.
            seconds: How long the answer may take.
            arguments: What it takes.

        Raises:
            TimeoutError: There is no answer.
            OSError: The channel is lost.
            PlatformError: The agent speaks another version (``agent_version``).
            WindtunnelError: The agent met a bug of its own.
        """
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._is_closed:
                raise self._reason
            key = next(self._numbers)
            self._waiting[key] = answer
        try:
            self._write(id=key, do=deed, **arguments)
            found = answer.result(seconds)
        finally:
            self._waiting.pop(key, None)
        if "bug" in found:
            raise agent_bug(self._who, found["bug"])
        return found

    def tell(self, deed: str, **arguments: Any) -> None:
        """Have something done that is not answered (OSError: the channel is lost)."""
        self._write(do=deed, **arguments)

    def close(self) -> None:
        """Ask no more: the agent's standard input ends."""
        self._is_closed = True
        self._channel.close()

    def _write(self, **request: Any) -> None:
        self._channel.write(json.dumps(request) + "\n")

    def _read(self) -> None:
        lines = Lines()
        for line in self._channel.lines():
            message = lines.take(line)
            if message is None:
                continue
            if not self._greeting.done():
                self._greet(message)
            elif "id" not in message:
                self._hear(message)
            elif waiting := self._waiting.pop(message.pop("id"), None):
                waiting.set_result(message)
        if words := self._channel.words():
            is_elsewhere = not self._greeting.done() and _NOT_INSTALLED in words
            self._reason = self._refusal(words) if is_elsewhere else OSError(words)

    def _greet(self, message: dict[str, Any]) -> None:
        """Take the first line for the hello that it has to be (PlatformError)."""
        version = message.get("hello")
        if version != VERSION:
            raise self._refusal(f"it speaks version {version} of its protocol" if version else "it says no hello")
        self._greeting.set_result(None)

    def _refusal(self, words: str) -> PlatformError:
        return PlatformError(
            f"{self._who} is of another Windtunnel: {words}, and this one speaks version {VERSION};"
            " install the same Windtunnel in both places",
            code=AGENT_VERSION,
        )

    def _end(self) -> None:
        """Tell all who wait why there will be no answer."""
        self.close()
        with self._lock:
            lost: list[Future[Any]] = [self._greeting, *self._waiting.values()]
        for waiting in lost:
            if not waiting.done():
                waiting.set_exception(self._reason)

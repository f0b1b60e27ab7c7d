"""What a Python payload needs: which environment a step gets, and where it is kept between runs."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from windtunnel.backends import install_packages
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Program, Service
from windtunnel.run.cache import cache_folder
from windtunnel.run.control import POLL_SECONDS, Control
from windtunnel.run.folder import tail
from windtunnel.secrets import Redaction

SCRIPT = Path(install_packages.__file__)
PACKAGES = "packages.json"
"""What the script writes last: names and versions of what is installed, and its ``PATH``."""
_PYTHON = re.compile(r"python(\d(\.\d+)?)?")
_PIP_KEYS = {
    "cert",
    "default-timeout",
    "extra-index-url",
    "find-links",
    "index-url",
    "no-binary",
    "no-index",
    "only-binary",
    "pre",
    "prefer-binary",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
}
_CERTIFICATES_OF = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXIES = {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
_LOCAL = re.compile(r"://([^/\s@]*@)?(localhost(?![\w.-])|127\.[\d.]+|\[::1\])")
_OURS = ("/", "~", "file:")
"""How a setting begins that names something in this machine's file system, which no container sees."""
ASK_SECONDS = 30


def interpreter(program: Program) -> str:
    """Return the interpreter that a step's requirements are installed for: its command's, else ``python3``."""
    word = program.command[0]
    return word if is_python(word) else "python3"


def is_python(word: str) -> bool:
    """Tell whether a command's first word is a Python interpreter."""
    return bool(_PYTHON.fullmatch(PurePath(word).name))


def with_environment(argv: Sequence[str], folder: PurePath) -> list[str]:
    """Return a command whose interpreter, however it is named, is that of the environment in `folder`."""
    return [str(folder / "bin" / "python"), *argv[1:]] if is_python(argv[0]) else list(argv)


def key_of(program: Program, platform: Sequence[str]) -> str:
    """Return what an environment is kept under: all that decides what is in it.

    Args:
        program: What it is for.
        platform: The interpreter and where it comes from.
    """
    parts = [list(program.requirements), list(platform), SCRIPT.read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@contextmanager
def kept(key: str, control: Control) -> Iterator[Path]:
    """Lend the place of an environment in the user's cache, to one run at a time.

    Raises:
        TimedOut, Cancelled: As the control says, while another run has it.
    """
    folder = cache_folder("requirements")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{key}.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                control.wait(POLL_SECONDS)
        yield folder / key


def tell(step: Service | Job, output: Path, log: Path, status: int) -> None:
    """Keep what pip wrote, without credentials of addresses.

    Raises:
        PlatformError: It failed (``requirements_failed``).
    """
    log.write_text(Redaction().text(output.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
    if status == 0:
        return
    lines = tail(log)
    reason = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1] if lines else "")
    raise failed(step, f"pip ended with status {status}: {reason.removeprefix('ERROR: ')}", lines)


def failed(step: Service | Job, reason: str, lines: tuple[str, ...] = ()) -> PlatformError:
    """Return the error of a step whose requirements cannot be installed."""
    message = f"{step.name}: its requirements cannot be installed: {reason}"
    return PlatformError(message, code="requirements_failed", step=step.name, log_tail=lines)


def pip_settings() -> dict[str, str]:
    """Return how pip reaches its index here, as variables: what its configuration and the environment say."""
    found = {f"PIP_{key.upper().replace('-', '_')}": value for key, value in _configured()}
    own = {f"PIP_{key.upper().replace('-', '_')}" for key in _PIP_KEYS}
    found |= {name: value for name, value in os.environ.items() if name in own or name.lower() in _PROXIES}
    return found


def elsewhere(settings: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Return settings as they hold on another machine, without folders of this one; and the certificates to trust."""
    file = next((each[name] for each in (settings, os.environ) for name in _CERTIFICATES_OF if each.get(name)), None)
    certificates = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return {name: value for name, value in settings.items() if not value.startswith(_OURS)}, certificates


def local_names(settings: Mapping[str, str]) -> list[str]:
    """Return the settings that name a server on this very machine."""
    return [name for name, value in settings.items() if _LOCAL.search(value)]


def _configured() -> Iterator[tuple[str, str]]:
    """Yield pip's own configuration, if there is a pip here; a later one of a name wins."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)  # noqa: S603 - ours
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in {"global", "install"} and key in _PIP_KEYS:
            yield key, str(ast.literal_eval(value))

"""Python packages of no use, and the page that pip finds them on."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCRIPT = "measure-speed"


def write_wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """Write a wheel with a module that tells its version, and a script that measures it.

    Args:
        folder: Where to.
        name: The package and its module.
        version: Its version.
        needs: Another package that it requires.
    """
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f'VERSION = "{version}"\n\n\ndef main():\n    print("rate=" + VERSION)\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{SCRIPT} = {name}:main\n",
    }
    lines = []
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{path},sha256={digest},{len(text)}")
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


class Index:
    """A server of one folder of wheels, on this machine, at one of its addresses.

    Attributes:
        env: What a client's environment has to have, with a password in the address.
        requests: How often it was asked.
        answers: It answers while this is set.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self.requests = 0
        self.answers = threading.Event()
        self.answers.set()
        index = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests += 1
                index.answers.wait(60)
                with contextlib.suppress(OSError):
                    super().do_GET()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), partial(Handler, directory=str(folder)))
        self.env = {
            "PIP_FIND_LINKS": f"http://someone:hidden@{host}:{self.server.server_port}/",
            "PIP_TRUSTED_HOST": host,
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": "/dev/null",
        }


@contextlib.contextmanager
def package_index(folder: Path, host: str = "127.0.0.1") -> Iterator[Index]:
    """Lend an index of ``speed`` in versions 1 and 2, the second of which needs ``helper``."""
    folder.mkdir()
    write_wheel(folder, "speed", "1")
    write_wheel(folder, "speed", "2", needs="helper")
    write_wheel(folder, "helper", "7")
    index = Index(folder, host)
    thread = threading.Thread(target=index.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        index.answers.set()
        index.server.shutdown()
        thread.join()
        index.server.server_close()

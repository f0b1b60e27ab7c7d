"""The images that ours start from: pulled, or where no registry is reached made under the same names."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from cluster.shell import Failed, run, succeeds

DEBIAN = "debian:bookworm-slim"
PYTHON = "python:3.11-slim-bookworm"

# Debian's Python 3.11 in the places of the official image's. The machine's certificates go in last, since
# installing Python replaces them; pip and what else asks OpenSSL then trusts what the machine trusts.
_PYTHON = f"""\
FROM {DEBIAN}
RUN apt-get update -qq \\
 && apt-get install -y -qq --no-install-recommends python3 python3-venv python3-pip ca-certificates >/dev/null \\
 && apt-get clean && rm -rf /var/lib/apt/lists/* \\
 && ln -s /usr/bin/python3 /usr/local/bin/python
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1
"""


def provide(say: Callable[[str], None]) -> None:
    """See to it that both base images are there.

    Raises:
        Failed: One can be neither pulled nor made.
    """
    for image, make in ((DEBIAN, make_debian), (PYTHON, make_python)):
        if succeeds(["docker", "image", "inspect", image]):
            continue
        try:
            say(f"pulling {image}")
            run(["docker", "pull", "--quiet", image], timeout=600)
        except Failed as error:
            say(f"  no registry gives it; making it from Debian's packages ({str(error).splitlines()[-1].strip()})")
            make()


def make_debian() -> None:
    """Make Debian's base with debootstrap, without the package lists, documents and cached archives.

    Raises:
        Failed: debootstrap is not installed, or does not get its packages.
    """
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise Failed(f"{DEBIAN} can't be pulled; as root, with debootstrap installed, it would be made here")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        run(["debootstrap", "--variant=minbase", "bookworm", root])
        for waste in ("var/lib/apt/lists", "var/cache/apt", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / waste, ignore_errors=True)
            (root / waste).mkdir(parents=True)
        archive = Path(folder) / "root.tar"
        run(["tar", "-C", root, "-cf", archive, "."])
        run(["docker", "import", "--change", "CMD bash", archive, DEBIAN])


def make_python() -> None:
    """Make Python's base from Debian's."""
    with tempfile.TemporaryDirectory() as folder:
        trusted = ssl.get_default_verify_paths().cafile
        (Path(folder) / "certificates.crt").write_bytes(Path(trusted).read_bytes() if trusted else b"")
        (Path(folder) / "Dockerfile").write_text(_PYTHON)
        run(["docker", "build", "--quiet", "--tag", PYTHON, folder])

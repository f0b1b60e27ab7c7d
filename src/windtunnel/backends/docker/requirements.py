"""A step's Python packages on the docker backend: a volume of the run's own, filled by pip or from the user's cache."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from windtunnel.backends.base import RunContext
from windtunnel.backends.containers import HOME, PYTHON
from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.container_fs import ContainerFiles
from windtunnel.backends.docker.container_spec import NO_HEALTHCHECK, NO_LOG
from windtunnel.backends.docker.events import Container, Watcher
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.making import ResourceMaker
from windtunnel.backends.docker.streams import Output
from windtunnel.backends.requirements import (
    PACKAGES,
    SCRIPT,
    elsewhere,
    failed,
    interpreter,
    kept,
    key_of,
    local_names,
    pip_settings,
    tell,
)
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Service
from windtunnel.run.cache import atomic_write

_SCRIPT, _CERTIFICATES = HOME / "install.py", HOME / "certificates.pem"
_CODE = "requirements_failed"


@dataclass(frozen=True)
class Installer:
    """Installs what steps need, in containers of their images.

    Attributes:
        context: The run.
        api: The daemon.
        maker: Makes containers and volumes.
        watcher: Hears of pip's end.
        files: Looks into containers.
        wait: Waits for a container's end and returns its status.
        volumes: The volume with the environment of each step that has one, by the step's name.
    """

    context: RunContext
    api: DockerApi
    maker: ResourceMaker
    watcher: Watcher
    files: ContainerFiles
    wait: Callable[[Container], int]
    volumes: dict[str, str] = field(default_factory=dict)

    def install(self, step: Service | Job, image: Image) -> tuple[dict[str, str], bool]:
        """Return the packages of a step's environment, by name, and whether they were there already.

        Raises:
            PlatformError: The image has no Python or no pip, or pip failed (``requirements_failed``).
            TimedOut, Cancelled: As the control says.
        """
        with kept(key_of(step.program, [interpreter(step.program), image.id]), self.context.control) as place:
            archive, packages = place.with_suffix(".tar"), place.with_suffix(".json")
            volume = f"{self.maker.run_id}-python-{place.name}"
            is_kept = packages.is_file() and archive.is_file()
            if volume not in self.volumes.values():
                self.maker.make_volume(volume, "making its volume", _CODE, step.name)
                if is_kept:
                    self._fill(step, image, volume, archive)
                else:
                    self._install(step, image, volume, archive)
                    # The archive is whole before that tells it.
                    with atomic_write(packages) as partial:
                        partial.write_bytes(_read_packages(archive))
            self.volumes[step.name] = volume
            return json.loads(packages.read_text(encoding="utf-8")), is_kept

    def _fill(self, step: Service | Job, image: Image, volume: str, archive: Path) -> None:
        """Put an archive into a volume, through a container that is never started."""
        key = self._create(step, image, volume, {"Entrypoint": ["true"]})
        with map_errors("filling its volume", _CODE, step.name):
            with archive.open("rb") as file:
                self.api.put_archive(key, HOME, file)
            self.api.remove_container(key)

    def _install(self, step: Service | Job, image: Image, volume: str, archive: Path) -> None:
        """Run pip in a container of the step's image, and keep what it made in an archive."""
        python, settings, folder = interpreter(step.program), pip_settings(), self.context.folder
        env, certificates = elsewhere(settings)
        env = env | {"PIP_CERT": str(_CERTIFICATES)} if certificates else env
        argv = [python, "-I", str(_SCRIPT), str(PYTHON), "add", *step.program.requirements]
        command = {"Entrypoint": argv, "Env": [f"{name}={value}" for name, value in env.items()]}
        key = self._create(step, image, volume, command, "host" if local_names(settings) else "bridge")
        log = folder.path / "work" / f"{step.name}.requirements.log"
        with map_errors("preparing pip's container", _CODE, step.name):
            files = {_SCRIPT: SCRIPT.read_bytes(), _CERTIFICATES: certificates}
            self.api.put_archive(key, "/", _packed(files))
            self._check_python(step, key, image, python)
            output = Output(self.api, key, log, self.context.notifier)
            container = Container(key, step.name, step.name, output)
            self.watcher.add(container)
            try:
                self.api.call("POST", f"/containers/{key}/start")
                tell(step, log, folder.log(f"{step.name}.requirements"), self.wait(container))
                self._keep(step, key, archive)
            finally:
                self.watcher.remove(container)
                self.api.remove_container(key)
                output.close()

    def _keep(self, step: Service | Job, key: str, archive: Path) -> None:
        with ExitStack() as stack:
            chunks, _stat = stack.enter_context(self.api.fetch_archive(key, PYTHON))
            try:
                with atomic_write(archive) as partial, partial.open("wb") as file:
                    file.writelines(chunks)
            except OSError as error:
                raise failed(step, f"they cannot be kept in {archive.parent}: {error.strerror or error}") from None

    def _check_python(self, step: Service | Job, key: str, image: Image, python: str) -> None:
        try:
            self.files.check_command(key, image, python, image.env["PATH"], step.name)
        except PlatformError as error:
            raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None

    def _create(
        self,
        step: Service | Job,
        image: Image,
        volume: str,
        command: Mapping[str, Any],
        network: str = "none",
    ) -> str:
        body = {
            "Image": image.id,
            "Cmd": [],
            **command,
            "User": "0:0",  # a new volume is root's
            "Healthcheck": NO_HEALTHCHECK,
            "HostConfig": {
                "NetworkMode": network,
                "Binds": [f"{volume}:{PYTHON}:rw"],
                "Init": True,
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": NO_LOG,
            },
        }
        title = f"{self.maker.run_id}-{step.name}.requirements"
        return self.maker.make_container(title, body, "making pip's container", "container_failed", step.name)


def _packed(files: dict[PurePosixPath, bytes]) -> io.BytesIO:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(str(path).lstrip("/"))
            entry.mode, entry.size = 0o644, len(data)
            archive.addfile(entry, io.BytesIO(data))
    target.seek(0)
    return target


def _read_packages(archive: Path) -> bytes:
    with tarfile.open(archive) as content:
        file = content.extractfile(str(PurePosixPath(PYTHON.name, PACKAGES)))
        return file.read() if file else b"{}"

"""A step's Python packages on the docker backend: a volume of the run's own, filled by pip or from the user's cache."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from windtunnel.backends.containers import HOME, PYTHON
from windtunnel.backends.docker.calls import APIError, daemon_words
from windtunnel.backends.docker.fetching import fetched
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.launcher import Launcher, Place
from windtunnel.backends.docker.step import Container
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
from windtunnel.run.control import Control

_SCRIPT, _CERTIFICATES = HOME / "install.py", HOME / "certificates.pem"


@dataclass(frozen=True)
class Installer:
    """Installs what steps need, in containers of their images.

    Attributes:
        place: Where the run's containers are made.
        launcher: Told which volume a step gets.
        control: Asked while pip runs.
        wait: Waits for a container's end and returns its status.
    """

    place: Place
    launcher: Launcher
    control: Control
    wait: Callable[[Container], int]

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Return the packages of a step's environment, by name, and whether they were there already.

        Raises:
            PlatformError: The image has no Python or no pip, or pip failed (``requirements_failed``).
            TimedOut, Cancelled: As the control says.
        """
        image = self.place.images[step.name]
        with kept(key_of(step.program, [interpreter(step.program), image.id]), self.control) as place:
            archive, packages = place.with_suffix(".tar"), place.with_suffix(".json")
            volume = f"{self.place.folder.run_id}-python-{place.name}"
            is_kept = packages.is_file() and archive.is_file()
            if volume not in self.launcher.volumes.values():
                self._make_volume(step, volume)
                if is_kept:
                    self._fill(step, volume, archive)
                else:
                    self._install(step, image, volume, archive)
                    # The archive is whole before that tells it.
                    with atomic_write(packages) as partial:
                        partial.write_bytes(_read_packages(archive))
            self.launcher.volumes[step.name] = volume
            return json.loads(packages.read_text(encoding="utf-8")), is_kept

    def _make_volume(self, step: Service | Job, name: str) -> None:
        with self.place.warden.creating(name), daemon_words("making its volume", "requirements_failed", step.name):
            self.place.api.create_volume(name, labels=dict(self.place.labels.to_json(step.name)))

    def _fill(self, step: Service | Job, volume: str, archive: Path) -> None:
        """Put an archive into a volume, through a container that is never started."""
        key = self._create(step, volume, ["true"])
        with daemon_words("filling its volume", "requirements_failed", step.name):
            with archive.open("rb") as file:
                self.place.api.put_archive(key, str(HOME), file)
            self.place.api.remove_container(key, v=True, force=True)

    def _install(self, step: Service | Job, image: Image, volume: str, archive: Path) -> None:
        """Run pip in a container of the step's image, and keep what it made in an archive."""
        python, settings = interpreter(step.program), pip_settings()
        env, certificates = elsewhere(settings)
        env = env | {"PIP_CERT": str(_CERTIFICATES)} if certificates else env
        argv = [python, "-I", str(_SCRIPT), str(PYTHON), "add", *step.program.requirements]
        key = self._create(step, volume, argv, env, "host" if local_names(settings) else "bridge")
        output = self.place.folder.path / "work" / f"{step.name}.requirements.log"
        with daemon_words("preparing pip's container", "requirements_failed", step.name):
            self.place.api.put_archive(key, "/", _packed({_SCRIPT: SCRIPT.read_bytes(), _CERTIFICATES: certificates}))
            self._check_python(step, key, image, python)
            container = Container(key, step.name, step.name, Output(self.place.daemon, key, output, self.place.watcher))
            self.place.watcher.add(container)
            try:
                self.place.api.start(key)
                status = self.wait(container)
                tell(step, output, self.place.folder.log(f"{step.name}.requirements"), status)
                self._keep(step, key, archive)
            finally:
                self.place.watcher.remove(container)
                with contextlib.suppress(APIError):
                    self.place.api.remove_container(key, v=True, force=True)
                container.output.close()

    def _keep(self, step: Service | Job, key: str, archive: Path) -> None:
        with ExitStack() as stack:
            chunks, _stat = stack.enter_context(fetched(self.place.daemon, key, PYTHON))
            try:
                with atomic_write(archive) as partial, partial.open("wb") as file:
                    file.writelines(chunks)
            except OSError as error:
                raise failed(step, f"they cannot be kept in {archive.parent}: {error.strerror or error}") from None

    def _check_python(self, step: Service | Job, key: str, image: Image, python: str) -> None:
        try:
            self.launcher.inside.check_command(key, image, python, image.env["PATH"], step.name)
        except PlatformError as error:
            raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None

    def _create(
        self,
        step: Service | Job,
        volume: str,
        argv: list[str],
        env: dict[str, str] | None = None,
        network: str = "none",
    ) -> str:
        host = self.place.api.create_host_config(
            network_mode=network,
            binds={volume: {"bind": str(PYTHON), "mode": "rw"}},
            init=True,
            security_opt=["no-new-privileges"],
            log_config={"Type": "none"},
        )
        title = f"{self.place.folder.run_id}-{step.name}.requirements"
        with self.place.warden.creating(title), daemon_words("making pip's container", "container_failed", step.name):
            made = self.place.api.create_container(
                self.place.images[step.name].id,
                name=title,
                entrypoint=argv,
                command=[],
                # A new volume is root's.
                user="0:0",
                environment=env or {},
                labels=dict(self.place.labels.to_json(step.name)),
                healthcheck={"test": ["NONE"]},
                host_config=host,
            )
        return str(made["Id"])


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

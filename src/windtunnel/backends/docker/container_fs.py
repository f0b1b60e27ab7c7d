"""What a container's file system holds: a shell, a command, the user's number. Asked for once an image."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from windtunnel.backends.archive import has_files
from windtunnel.backends.containers import HOME, RESULTS, WORK
from windtunnel.backends.docker.api import IS_FOLDER, IS_LINK, DockerApi, map_errors
from windtunnel.backends.docker.daemon import NOT_FOUND, DaemonError
from windtunnel.backends.docker.exec_probes import ASKERS
from windtunnel.backends.docker.images import Image
from windtunnel.errors import PlatformError

_EXECUTABLE = 0o111
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_LINKS = 40


class ContainerFiles:
    """Looks into containers, running or not, without running anything in them."""

    def __init__(self, api: DockerApi) -> None:
        self._api = api
        self._shells: dict[str, bool] = {}
        self._owners: dict[str, tuple[int, int]] = {}
        self._found: set[tuple[str, str, str]] = set()
        self._roomy: set[str] = set()
        self._askers: dict[str, str | None] = {}

    def may_use_shell(self, image: Image, env: Mapping[str, str]) -> bool:
        """Tell whether a shell can start a command: none is known to be missing, and it would lose no variable."""
        return self._shells.get(image.id, True) and all(_SHELL_NAME.fullmatch(name) for name in (*image.env, *env))

    def has_shell(self, container: str, image: Image) -> bool:
        """Tell whether there is a ``/bin/sh`` that can be run."""
        if image.id not in self._shells:
            self._shells[image.id] = _is_program(self._follow(container, "/bin/sh"))
        return self._shells[image.id]

    def owner(self, container: str, image: Image) -> tuple[int, int]:
        """Return user and group that the image's commands run as."""
        if image.id not in self._owners:
            user, _, group = image.user.partition(":")
            number, group_number = (0, 0) if user in {"", "0", "root"} else self._look_up(container, user)
            self._owners[image.id] = number, int(group) if group.isdigit() else group_number
        return self._owners[image.id]

    def check_room(self, container: str, image: Image, step: str) -> None:
        """Return if an image has nothing where a step's results go: it would be taken for what the step wrote.

        Args:
            container: A container of it, before anything was put in.
            image: The image.
            step: The step, for the message.

        Raises:
            PlatformError: It has (``image_unfit``).
        """
        if image.id in self._roomy:
            return
        for place in (HOME, RESULTS):
            stat = self._api.stat(container, str(place))
            if stat and not stat["mode"] & IS_FOLDER:
                raise _unfit(image, place, step)
        if stat:
            with self._api.fetch_archive(container, RESULTS) as (chunks, _stat):
                is_empty = not has_files(chunks)
            if not is_empty:
                raise _unfit(image, RESULTS, step)
        self._roomy.add(image.id)

    def _look_up(self, container: str, user: str) -> tuple[int, int]:
        for line in self._read(container, "/etc/passwd").splitlines():
            fields = line.split(":")
            if len(fields) > 3 and user in fields[0:3:2]:  # noqa: PLR2004 - passwd(5): name, password, number, group
                return int(fields[2]), int(fields[3])
        return (int(user), 0) if user.isdigit() else (0, 0)

    def _read(self, container: str, path: str) -> str:
        try:
            with self._api.fetch_archive(container, path) as (chunks, _stat):
                content = b"".join(chunks)
        except DaemonError as error:
            if error.status == NOT_FOUND:
                return ""
            raise
        with tarfile.open(fileobj=BytesIO(content)) as archive:
            file = next((archive.extractfile(entry) for entry in archive if entry.isreg()), None)
            return file.read().decode(errors="replace") if file else ""

    def find_asker(self, container: str, image: Image, step: str) -> str:
        """Return the program of an image that can ask over the network.

        Raises:
            PlatformError: It has none (``no_asker``).
        """
        if image.id not in self._askers:
            self._askers[image.id] = next((name for name in ASKERS if self._has(container, image, name)), None)
        if asker := self._askers[image.id]:
            return asker
        raise PlatformError(
            f"{step}: a sealed container is asked from inside, and image {image.name} has none of"
            f" {', '.join(ASKERS)}; use an exec or log probe",
            code="no_asker",
            step=step,
        )

    def _has(self, container: str, image: Image, program: str) -> bool:
        with map_errors("looking for what can ask"):
            return any(self._follow(container, f"{path}/{program}") for path in image.env["PATH"].split(":"))

    def check_command(self, container: str, image: Image, program: str, path: str, step: str) -> None:
        """Return if a program can be run in a container.

        Init would only tell when it is started and has failed, and in its own words.

        Args:
            container: The container, with all its files.
            image: Its image.
            program: The first word of a command.
            path: The container's ``PATH``.
            step: The step, for the message.

        Raises:
            PlatformError: It does not exist (``command_not_found``) or cannot be run
                (``command_not_runnable``).
        """
        if (image.id, program, path) in self._found:
            return
        folders = [""] if "/" in program else path.split(":")
        is_there = False
        with map_errors("looking for its command", step=step):
            for folder in folders:
                stat = self._follow(container, str(WORK / folder / program))
                if stat is None or stat["mode"] & IS_FOLDER:
                    continue
                is_there = True
                if stat["mode"] & _EXECUTABLE:
                    if program.startswith("/") or "/" not in program:
                        self._found.add((image.id, program, path))
                    return
        if is_there:
            message, code = f"cannot run {program}: permission denied", "command_not_runnable"
        else:
            looked = "" if "/" in program else f" (looked in PATH={path})"
            message, code = f"command not found: {program}{looked}, in image {image.name}", "command_not_found"
        raise PlatformError(f"{step}: {message}", code=code, step=step)

    def _follow(self, container: str, path: str) -> Mapping[str, Any] | None:
        for _link in range(_MOST_LINKS):
            stat = self._api.stat(container, path)
            if stat is None or not stat["mode"] & IS_LINK:
                return stat
            path = str(PurePosixPath(path).parent / stat["linkTarget"])
        return None


def _is_program(stat: Mapping[str, Any] | None) -> bool:
    return bool(stat and not stat["mode"] & IS_FOLDER and stat["mode"] & _EXECUTABLE)


def _unfit(image: Image, place: PurePosixPath, step: str) -> PlatformError:
    message = f"{step}: image {image.name} has something of its own at {place}, where a step's results go"
    return PlatformError(message, code="image_unfit", step=step)

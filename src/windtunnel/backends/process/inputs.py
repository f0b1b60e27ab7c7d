"""A run's inputs as its processes share them: whether a step changed one, and the original again."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.inputs import digest_of, fetch_input
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile
from windtunnel.run.control import Control


@dataclass
class _Shared:
    """An input, where it lies, what it looked like last (a change is seen without reading it), and who changed it."""

    item: InputFile
    path: Path
    digest: str
    look: tuple[int, ...]
    changed_by: str | None = None


class SharedInputs:
    """The inputs of a run, which are links to one file each in every step's folder.

    Their modes keep a user from writing to them, but neither root, nor an owner who changes the mode.

    Args:
        base: Folder that relative paths are relative to.
        control: Asked while an input is read or fetched.

    Attributes:
        paths: Where each input lies, by the path at which each step finds it.
    """

    def __init__(self, base: Path, control: Control) -> None:
        self.paths: dict[str, Path] = {}
        self._shared: list[_Shared] = []
        self._base, self._control = base, control

    def add(self, item: InputFile, path: Path, digest: str) -> None:
        """Take in an input that was just fetched."""
        self.paths[item.path] = path
        self._shared.append(_Shared(item, path, digest, _look(path)))

    def find_changed(self, by: str) -> list[str]:
        """Return the paths of those that were changed since this was asked last, as it seems by `by`.

        Raises:
            TimedOut, Cancelled: As the control says.
        """
        found = [shared for shared in self._shared if self._was_changed(shared)]
        for shared in found:
            shared.changed_by = by
        return [shared.item.path for shared in found]

    def _was_changed(self, shared: _Shared) -> bool:
        look = _look(shared.path)
        if look == shared.look:
            return False
        is_same = bool(look) and self._is_same(shared)
        shared.look = _look(shared.path)
        return not is_same

    def _is_same(self, shared: _Shared) -> bool:
        """Tell whether an input's times and its mode are all that is new; one that cannot be read is another one."""
        try:
            shared.path.chmod(0o444)  # first: nobody may be allowed to read it any more
            return digest_of(shared.path, self._control) == shared.digest
        except OSError:
            return False

    def restore(self) -> list[str]:
        """Fetch those again that were changed; return which cannot be had as they were, a sentence each.

        Raises:
            TimedOut, Cancelled: As the control says.
        """
        changed = [shared for shared in self._shared if shared.changed_by]
        return [words for shared in changed if (words := self._restore(shared))]

    def _restore(self, shared: _Shared) -> str | None:
        by, shared.changed_by = shared.changed_by, None
        fetched = shared.path.with_name(f"{shared.path.name}.again")
        try:
            _path, digest = fetch_input(shared.item, self._base, self._control, fetched)
            problem = None if digest == shared.digest else "it is another one now"
        except PlatformError as error:
            problem = error.message
        if problem:
            remove_tree(fetched)
            return f"input {shared.item.path} was changed by {by}, and the original cannot be had again: {problem}"
        remove_tree(shared.path)
        fetched.replace(shared.path)
        shared.look = _look(shared.path)
        return None


def _look(path: Path) -> tuple[int, ...]:
    """Return what a file looks like without reading it; nothing if it is no file."""
    try:
        facts = path.lstat()
    except OSError:
        return ()
    if not stat.S_ISREG(facts.st_mode):
        return ()
    return (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

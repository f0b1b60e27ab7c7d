"""What a step leaves in its folders: kept, or removed, whatever the modes that it gave them."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from windtunnel.errors import PlatformError

_OWNER = {True: 0o700, False: 0o400}
"""What the owner needs: of a folder (True), to change and to enter it; of a file, to read it."""


def collect_artifacts(
    source: Path, globs: tuple[str, ...], target: Path, tell: Callable[[str], None] = lambda _message: None
) -> int:
    """Move what matches `globs` from a step's output folder to `target`; return how many.

    Links are left alone: they may point anywhere.

    Args:
        source: The output folder.
        globs: Relative to it.
        target: Where they go, with their folders.
        tell: Told of each that cannot be kept, such as another user's.

    Raises:
        PlatformError: One cannot be written (``results_lost``), such as for want of space.
    """
    if source.is_symlink():
        return 0
    open_up(source)
    found = {path for glob in globs for path in source.glob(f"{glob}/*" if glob.endswith("**") else glob)}
    root = source.resolve()
    files = sorted(path for path in found if _is_own_file(path, root / path.relative_to(source)))
    kept = 0
    for path in files:
        name = path.relative_to(source)
        place = target / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, place)
            kept += 1
        except (PermissionError, FileNotFoundError) as error:
            tell(f"artifact {name} cannot be kept: {error.strerror}")
        except OSError as error:
            raise PlatformError(f"artifact {name} cannot be kept: {error.strerror}", code="results_lost") from None
    return kept


def _is_own_file(path: Path, place: Path) -> bool:
    """Tell a file that lies where it seems to: a link leads elsewhere, and so does all below a linked folder."""
    try:
        return path.is_file() and path.resolve() == place
    except OSError:
        return False


def remove_tree(path: Path) -> str | None:
    """Remove a file, or a folder with all that is in it; return why something of it is left, if so."""
    try:
        _remove(path)
    except FileNotFoundError:
        return None
    except OSError:
        _allow(path.parent)
        open_up(path)
        try:
            _remove(path)
        except OSError as error:
            return f"{error.filename or path}: {error.strerror}"
    return None


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    with contextlib.suppress(OSError):
        path.rmdir()  # mostly it is empty, and looking first takes longer
        return
    shutil.rmtree(path)


def open_up(folder: Path) -> None:
    """Let the owner of a tree read and change all of it; what is another user's stays as it is, and so do links."""
    if folder.is_symlink():
        return
    _allow(folder)
    # Each folder is opened before the walk enters it.
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _allow(Path(parent, name))


def _allow(path: Path) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            needed = _OWNER[stat.S_ISDIR(mode)]
            if mode & needed != needed:
                path.chmod(stat.S_IMODE(mode) | needed)

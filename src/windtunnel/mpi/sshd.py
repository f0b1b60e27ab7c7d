"""What a member of a gang runs: OpenSSH's server, for the launcher of its run alone."""

from __future__ import annotations

from pathlib import PurePath

from windtunnel.mpi.keys import Keys
from windtunnel.mpi.scripts import FOLDER, script, shell_argv


def member_files(keys: Keys, port: int) -> dict[str, str]:
    """Return the files of a member, by their path below its working folder.

    Args:
        keys: The run's.
        port: Where its sshd listens; one above 1023 needs no root.
    """
    files = {name: script(name) for name in ("member.sh", "session.sh", "rank.sh", "sshd_config")}
    files |= {"host_key": keys.host_private, "authorized_keys": f"{keys.public}\n", "port": f"{port}\n"}
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def member_argv(work: PurePath) -> list[str]:
    """Return the command of a member."""
    return shell_argv(work, "member.sh")

"""The cluster's own kubectl, with the cluster's own rights."""

from __future__ import annotations

from string import Template

from cluster import places, programs
from cluster.shell import run


def as_admin(*arguments: str, given: str | None = None, timeout: float = 120) -> str:
    """Run kubectl with every right and return what it prints.

    Raises:
        Failed: It ended with an error.
    """
    return run([places.binary("kubectl"), "--kubeconfig", places.admin(), *arguments], given=given, timeout=timeout)


def filled(path: str, **values: str) -> str:
    """Return a file of this folder with its $names replaced: those given, and the programs' versions."""
    versions = {group.name.replace("-", "_"): group.version for group in programs.groups()}
    return Template((programs.HERE / path).read_text()).substitute(versions | values)


def apply(manifest: str) -> None:
    """Make a manifest true, however it was before."""
    as_admin("apply", "--server-side", "--force-conflicts", "--filename=-", given=manifest)

"""What the launcher of a gang runs: a shell script, and the order that it carries out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeVar

from windtunnel.mpi.keys import Keys
from windtunnel.mpi.launchers import Implementation, Placing, environment_of, host_lines, majors, options_of
from windtunnel.mpi.scripts import FOLDER, script, shell_argv

METRICS, REPORT = "metrics.jsonl", "launch.tsv"
"""How the name of the file of measurements ends, and that of the file beside it with what the script finds out."""
HOSTFILE = f"{FOLDER}/hosts"
"""The file with the members' addresses, below the launcher's working folder."""
_KNOWN_LATER = re.compile("\0(.*?)\0")
_CENSUS_SECONDS = 30.0
"""What the launcher has at least to say where its ranks are; it may hang."""
KEY_ALIAS = "windtunnel-gang"
"""The name by which the launcher knows the key of all members, whatever their addresses are."""
P = TypeVar("P", bound=PurePath)


@dataclass(frozen=True, kw_only=True)
class Host:
    """A member as the launcher reaches it.

    Attributes:
        name: What people call it, such as ``gang-0``.
        address: An IP address, or a name.
    """

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be launched.

    Attributes:
        implementation: Whose launcher it is.
        ranks: How many ranks there are.
        slots: How many of them a host takes; one host after the other is filled.
        hosts: The members; without any, all ranks run where the launcher runs.
        command: What each rank runs, names replaced.
        variables: The names of the environment variables that ranks get.
        options: More options of the launcher, the user's.
        within: Seconds until all members have been reached.
        port: Where the members' sshd listens.
        work: The working folder, the same for the launcher and the members.
        metrics: Where ranks write measurements, the same for all; what the script finds out is beside it.
        iteration: The iteration's number.
        exports: Variables that the script sets itself: those that were not known when its container was described.
    """

    implementation: Implementation
    ranks: int
    slots: int
    hosts: Sequence[Host]
    command: Sequence[str]
    variables: Sequence[str]
    options: Sequence[str]
    within: float
    port: int = 2222
    work: PurePath
    metrics: PurePath
    iteration: int
    exports: Mapping[str, str] = field(default_factory=dict)

    @property
    def placed(self) -> dict[int, str]:
        """The name of the host that each rank belongs on; empty if all run where the launcher does."""
        return {rank: self.hosts[rank // self.slots].name for rank in range(self.ranks)} if self.hosts else {}

    @property
    def taken(self) -> Mapping[Host, int]:
        """The hosts that take ranks, with how many each takes."""
        left = {host: self.ranks - number * self.slots for number, host in enumerate(self.hosts)}
        return {host: min(count, self.slots) for host, count in left.items() if count > 0}


def beside(metrics: P) -> P:
    """Return where the script writes what it finds out, from where ranks write measurements."""
    return metrics.with_name(f"{metrics.name.removesuffix(METRICS)}{REPORT}")


def launch_files(order: Order, keys: Keys | None) -> dict[str, str]:
    """Return the launcher's files, by their path below its working folder.

    Args:
        order: What is to be launched.
        keys: The run's; None where there are no hosts.
    """
    files = {name: script(name) for name in ("launch.sh", "mpi.sh", "host.sh", "rank.sh")}
    files["order.sh"] = _order_script(order)
    if keys:
        addresses = [host.address for host in order.taken]
        slots = list(order.taken.values())
        lines = host_lines(order.implementation, addresses, slots)
        files[PurePath(HOSTFILE).name] = "".join(f"{line}\n" for line in lines)
        files |= {"id": keys.private, "known_hosts": f"{KEY_ALIAS} {keys.host_public}\n"}
        files["ssh_config"] = script("ssh_config").format(port=order.port, alias=KEY_ALIAS)
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def launch_argv(work: PurePath) -> list[str]:
    """Return the command of the launcher."""
    return shell_argv(work, "launch.sh")


def _order_script(order: Order) -> str:
    """Return the order as shell text: variables, and one function for each version of the launcher."""
    values = {
        "implementation": order.implementation,
        "majors": " ".join(map(str, majors(order.implementation))),
        "within": f"{order.within:g}",
        "patience": f"{max(order.within, _CENSUS_SECONDS):g}",
        "work": str(order.work),
        "metrics": str(order.metrics),
        "report": str(beside(order.metrics)),
        "notes": str(order.metrics.parent / f"ranks.{order.iteration}"),
        "members": "\n".join(f"{host.name} {host.address}" for host in order.taken),
        "placed": "\n".join(sorted(f"{rank}\t{name}" for rank, name in order.placed.items())),
    }
    lines = [f"{name}={_quoted(value)}" for name, value in values.items()]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in order.exports.items()]
    placing = Placing(
        ranks=order.ranks,
        slots=order.slots,
        local=not order.hosts,
        variables=order.variables,
        options=order.options,
    )
    environment = {} if placing.local else environment_of(order.implementation)
    sets = " ".join(_quoted(f"{name}={value}") for name, value in environment.items())
    for major in majors(order.implementation):
        words = " ".join(map(_quoted, options_of(order.implementation, major, placing)))
        lines.append(f'launch_{major}() {{\n  exec env {sets} "$mpirun" {words} "$@"\n}}')
    command = " ".join(map(_quoted, order.command))
    wrapped = f'/bin/sh "$here/rank.sh" run "$notes" "$implementation" {order.ranks} {command}'
    lines.append(f'run() {{\n  "launch_$major" {wrapped}\n}}')
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    """Return a word as shell text; what is between two NULs is a variable of the script."""
    return _KNOWN_LATER.sub(r"""'"$\1"'""", shlex.quote(word))

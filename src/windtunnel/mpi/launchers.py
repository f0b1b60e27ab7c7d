"""MPI's launchers: how each of them is told what to run and where. No I/O.

Their options are those of their manuals: mpirun(1) of Open MPI 4.1 and 5.0 (PRRTE), Hydra's guide (MPICH), and the
developer reference of Intel MPI 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Implementation = Literal["openmpi", "mpich", "intel"]
PRIVATE = "\0private\0"
"""Stands for the folder that the launch makes for its own files, whose name is not known before."""
OWN_ADDRESS = "\0own_address\0"
"""Stands for the launcher's address as the hosts see it: they may not know its name."""
OWN_INTERFACE = "\0own_interface\0"
"""Stands for the network interface that has this address."""
_SSH = f"-F {PRIVATE}/ssh_config"
_SSH_OPTIONS = {"mpich": "HYDRA_LAUNCHER_EXTRA_ARGS", "intel": "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS"}
_HOSTS = f"{PRIVATE}/hosts"


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Which ranks go where, and what they have in their environment.

    Attributes:
        ranks: How many there are.
        slots: How many each host takes at most; one host after the other is filled.
        local: Whether all of them run where the launcher does, however many they are.
        variables: The names of the environment variables that they get.
        options: More options, the user's.
    """

    ranks: int
    slots: int
    local: bool
    variables: Sequence[str]
    options: Sequence[str]

    def says(self, *names: str) -> bool:
        """Tell whether the user's options have one of these, or one that begins with it and a ``=`` or ``:``."""
        words = [option.lstrip("-") for option in self.options]
        return any(word == name or word.startswith((f"{name}=", f"{name}:")) for word in words for name in names)


def options_of(implementation: Implementation, major: int, placing: Placing) -> list[str]:
    """Return the options of a launcher, which come before the command that each rank runs."""
    return [*_OPTIONS[implementation, major](placing), *placing.options]


def environment_of(implementation: Implementation) -> dict[str, str]:
    """Return what a launcher has to have in its environment, for want of an option."""
    return {_SSH_OPTIONS[implementation]: _SSH} if implementation in _SSH_OPTIONS else {}


def majors(implementation: Implementation) -> list[int]:
    """Return the major versions of an implementation that are known here."""
    return [major for name, major in _OPTIONS if name == implementation]


def host_lines(implementation: Implementation, addresses: Sequence[str], slots: Sequence[int]) -> list[str]:
    """Return the lines of the file that says which hosts there are, and how many ranks each takes."""
    form = "{} slots={}" if implementation == "openmpi" else "{}:{}"
    return [form.format(*pair) for pair in zip(addresses, slots, strict=True)]


def _openmpi_4(placing: Placing) -> list[str]:
    words = ["-np", str(placing.ranks)]
    if placing.local:
        words += ["--oversubscribe"]
    else:
        # Daemons that start other daemons would need the key, too.
        words += ["--hostfile", _HOSTS, "--mca", "plm_rsh_agent", f"ssh {_SSH}", "--mca", "plm_rsh_no_tree_spawn", "1"]
    return words + _openmpi(placing, "slot")


def _openmpi_5(placing: Placing) -> list[str]:
    words = ["-np", str(placing.ranks)]
    if not placing.local:
        agent = ["--prtemca", "plm_ssh_agent", f"ssh {_SSH}", "--prtemca", "plm_ssh_no_tree_spawn", "1"]
        words += ["--hostfile", _HOSTS, *agent]
    return words + _openmpi(placing, "slot:OVERSUBSCRIBE" if placing.local else "slot")


def _openmpi(placing: Placing, mapping: str) -> list[str]:
    words = []
    if not placing.says("map-by", "rank-by"):
        words += ["--map-by", mapping]
    # A container without CPUs of its own sees all of the machine's: each would bind its ranks to the same first ones.
    if not placing.says("bind-to", "cpu-set", "cpu-list"):
        words += ["--bind-to", "none"]
    return words + [word for name in placing.variables for word in ("-x", name)]


def _mpich(placing: Placing) -> list[str]:
    pinning = [] if placing.says("bind-to") else ["-bind-to", "none"]
    return _hydra(placing, "-localhost", OWN_ADDRESS) + pinning


def _intel(placing: Placing) -> list[str]:
    pinning = [] if placing.says("I_MPI_PIN", "cpu-bind") else ["-genv", "I_MPI_PIN", "off"]
    # It lists -localhost among its options, too, and does not heed it.
    return _hydra(placing, "-iface", OWN_INTERFACE) + pinning


def _hydra(placing: Placing, *way_back: str) -> list[str]:
    far = ["-launcher", "ssh", "-f", _HOSTS, *way_back]
    # Intel's does not heed how many ranks the file says that a host takes; neither takes this option twice.
    if not placing.says("ppn", "perhost"):
        far += ["-ppn", str(placing.slots)]
    # Else the launcher's whole environment would cover the members' own.
    environment = ["-genvlist", ",".join(placing.variables)] if placing.variables else ["-genvnone"]
    return ["-n", str(placing.ranks), *(["-launcher", "fork"] if placing.local else far), *environment]


_OPTIONS: Mapping[tuple[Implementation, int], Callable[[Placing], list[str]]] = MappingProxyType(
    {
        ("openmpi", 4): _openmpi_4,
        ("openmpi", 5): _openmpi_5,
        ("mpich", 4): _mpich,
        ("mpich", 5): _mpich,
        ("intel", 2021): _intel,
    }
)

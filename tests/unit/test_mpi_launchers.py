"""MPI's launchers: what each is told."""

from __future__ import annotations

import pytest

from windtunnel.mpi.launchers import (
    OWN_ADDRESS,
    OWN_INTERFACE,
    PRIVATE,
    Implementation,
    Placing,
    environment_of,
    host_lines,
    majors,
    options_of,
)

SSH = f"ssh -F {PRIVATE}/ssh_config"
HOSTS = f"{PRIVATE}/hosts"
KNOWN: list[tuple[Implementation, int]] = [
    ("openmpi", 4),
    ("openmpi", 5),
    ("mpich", 4),
    ("mpich", 5),
    ("intel", 2021),
]


def placing(*options: str, local: bool = False, variables: tuple[str, ...] = ("A", "B")) -> Placing:
    """Return four ranks on two hosts."""
    return Placing(ranks=4, slots=2, local=local, variables=variables, options=options)


def test_open_mpi_4_is_told_hosts_agent_mapping_binding_and_variables() -> None:
    """Nothing is left to the image's settings; the daemons start no others, which would need the key."""
    agent = ["--mca", "plm_rsh_agent", SSH, "--mca", "plm_rsh_no_tree_spawn", "1"]
    shared = ["--map-by", "slot", "--bind-to", "none", "-x", "A", "-x", "B"]

    assert options_of("openmpi", 4, placing()) == ["-np", "4", "--hostfile", HOSTS, *agent, *shared]


def test_open_mpi_5_calls_its_agent_by_another_name() -> None:
    """Its daemons are PRRTE's."""
    agent = ["--prtemca", "plm_ssh_agent", SSH, "--prtemca", "plm_ssh_no_tree_spawn", "1"]
    shared = ["--map-by", "slot", "--bind-to", "none", "-x", "A", "-x", "B"]

    assert options_of("openmpi", 5, placing()) == ["-np", "4", "--hostfile", HOSTS, *agent, *shared]


def test_mpich_is_told_the_way_back() -> None:
    """Its proxies connect to the launcher, whose name nobody knows."""
    words = ["-n", "4", "-launcher", "ssh", "-f", HOSTS, "-localhost", OWN_ADDRESS, "-ppn", "2"]

    for major in (4, 5):
        assert options_of("mpich", major, placing()) == [*words, "-genvlist", "A,B", "-bind-to", "none"]
    assert environment_of("mpich") == {"HYDRA_LAUNCHER_EXTRA_ARGS": f"-F {PRIVATE}/ssh_config"}


def test_intel_is_told_its_interface_and_how_many_ranks_a_host_takes() -> None:
    """It heeds neither `-localhost` nor the hosts' own slots."""
    words = ["-n", "4", "-launcher", "ssh", "-f", HOSTS, "-iface", OWN_INTERFACE, "-ppn", "2"]
    pinning = ["-genv", "I_MPI_PIN", "off"]

    assert options_of("intel", 2021, placing()) == [*words, "-genvlist", "A,B", *pinning]
    assert environment_of("intel") == {"I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS": f"-F {PRIVATE}/ssh_config"}


@pytest.mark.parametrize(("implementation", "major"), KNOWN)
def test_without_hosts_nothing_is_said_of_ssh(implementation: Implementation, major: int) -> None:
    """All ranks run here, however many they are."""
    words = options_of(implementation, major, placing(local=True))

    assert not [word for word in words if "\0" in word or "ssh" in word]
    assert "4" in words


@pytest.mark.parametrize(
    ("implementation", "major", "options", "unsaid"),
    [
        ("openmpi", 4, ("--bind-to", "core"), ["--bind-to", "none"]),
        ("openmpi", 5, ("--map-by", "node"), ["--map-by", "slot"]),
        ("mpich", 5, ("-bind-to", "core:1"), ["-bind-to", "none"]),
        ("mpich", 5, ("-ppn", "1"), ["-ppn", "2"]),
        ("intel", 2021, ("-genv", "I_MPI_PIN=on"), ["-genv", "I_MPI_PIN", "off"]),
    ],
)
def test_what_the_user_says_is_said_once(
    implementation: Implementation, major: int, options: tuple[str, ...], unsaid: list[str]
) -> None:
    """The user's options come last, and ours of the same matter are left out: some launchers take none twice."""
    words = options_of(implementation, major, placing(*options))

    assert tuple(words[-len(options) :]) == options
    ours = words[: -len(options)]
    assert unsaid not in [ours[at : at + len(unsaid)] for at in range(len(ours))]


def test_hydra_gets_no_variables_but_those_named() -> None:
    """Else the launcher's whole environment would cover that of the members."""
    assert "-genvnone" in options_of("mpich", 5, placing(variables=()))


def test_a_host_is_written_as_its_launcher_reads_it() -> None:
    """With how many ranks it takes."""
    assert host_lines("openmpi", ["10.0.0.1"], [2]) == ["10.0.0.1 slots=2"]
    assert host_lines("intel", ["10.0.0.1"], [2]) == ["10.0.0.1:2"]


def test_the_versions_known_are_said() -> None:
    """Each has its options."""
    assert {name: majors(name) for name, _ in KNOWN} == {"openmpi": [4, 5], "mpich": [4, 5], "intel": [2021]}

"""The launch of MPI programs, with four real launchers, on real containers with real sshd."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from support import mpi_lab
from support.mpi_lab import KINDS, GangLab, Kind, gang, wait_gone, wait_says
from windtunnel.mpi.keys import make_keys
from windtunnel.mpi.launch_script import Host, beside

pytestmark = pytest.mark.timeout(600)
full = pytest.mark.full
ALL = [pytest.param("openmpi 4"), *(pytest.param(name, marks=full) for name in KINDS if name != "openmpi 4")]
REDUCE = """
import os, socket
from mpi4py import MPI
world = MPI.COMM_WORLD
found = world.allreduce(world.rank + 1)
print(f"rank {world.rank} of {world.size} on {socket.gethostname()[:12]}: {found}", flush=True)
assert os.environ["RANK"] == str(world.rank)
assert os.environ["WORLD_SIZE"] == str(world.size)
"""
LOOP = """
import time
from mpi4py import MPI
world = MPI.COMM_WORLD
print("begun", flush=True)
while True:
    world.allreduce(world.rank)
    time.sleep(0.001)
"""
ODD = {
    "ODD_SPACES": "a  b 'c' \"d\" \\ `e` $HOME $(f)",
    "ODD_LINES": "one\ntwo\n\n",
    "ODD_SIGNS": "x=1,y=2;z:3|&<>*?[]{}~#!%s\t",
    "ODD_LETTERS": "\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{SNOWMAN}",
    "ODD_NOTHING": "",
}
SEALED = {"read_only": True, "cap_drop": ["ALL"], "tmpfs": {"/tmp": "exec,mode=1777", "/run": "mode=1777"}}


@pytest.fixture(scope="module", params=ALL)
def shared(request: pytest.FixtureRequest) -> Iterator[GangLab]:
    """Two members that no test harms; those of one kind are the same for all tests."""
    with gang(request.param) as lab:
        yield lab


@pytest.fixture(params=ALL)
def own(request: pytest.FixtureRequest) -> Iterator[GangLab]:
    """Two members that are the test's own."""
    with gang(request.param) as lab:
        yield lab


def shell(script: str) -> tuple[str, ...]:
    """Return the command of a shell script."""
    return "sh", "-c", script


def documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents of a text; a rank's line feed may come after another's document."""
    text = text.strip()
    while text:
        found, end = json.JSONDecoder().raw_decode(text)
        yield found
        text = text[end:].strip()


def test_ranks_reduce_where_they_were_planned(shared: GangLab) -> None:
    """Each host is filled before the next; fewer ranks than there are slots leave the last ones free."""
    ended = shared.run("python3", "-c", REDUCE, slots=2, ranks=3)

    assert (ended.status, ended.trouble) == (0, None), ended.errors
    names = [member.id[:12] for member in shared.members]
    lines = [f"rank {rank} of 3 on {names[rank // 2]}: 6" for rank in range(3)]
    assert [line for line in lines if line not in ended.output] == []
    assert ended.report.census == {0: "gang-0", 1: "gang-0", 2: "gang-1"}
    assert ended.statuses == {0: 0, 1: 0, 2: 0}
    assert (ended.report.version or "").startswith(shared.kind.version)
    assert {host: each.stage for host, each in ended.report.reached.items()} == {"gang-0": "ok", "gang-1": "ok"}


@full
def test_ranks_get_variables_folder_and_program_as_they_are(shared: GangLab) -> None:
    """Spaces, quotes, line feeds, dollars and all; the program's words too."""
    told = "import json, os, sys; print(json.dumps([{n: os.environ[n] for n in os.environ if n[:3] == 'ODD'},"
    told += " os.getcwd(), sys.argv[1:]]), flush=True)"
    ended = shared.run("python3", "-c", told, *ODD.values(), env=ODD, variables=list(ODD))

    assert ended.trouble is None, (ended.message, ended.errors)
    expected = [ODD, str(mpi_lab.WORK), list(ODD.values())]
    assert list(documents(ended.output)) == [expected, expected]


@full
def test_what_ranks_measured_is_brought_to_the_launcher(shared: GangLab) -> None:
    """All of it, once: it does not stay there for the next iteration."""
    measure = shell('echo "rank $RANK" >>"$WINDTUNNEL_METRICS"')
    first = shared.run(*measure)
    second = shared.run(*measure)

    assert first.metrics.splitlines() == second.metrics.splitlines() == ["rank 0", "rank 1"]


@full
def test_a_ranks_own_status_is_told_with_its_host(shared: GangLab) -> None:
    """The others are ended, whatever they are and however long they would take."""
    ended = shared.run(*shell('[ "$RANK" != 3 ] || { sleep 1; exit 7; }; exec sleep 300'), slots=2)

    assert ended.code == "rank_failed", (ended.message, ended.errors)
    assert ended.message.startswith("rank 3 on gang-1 exited with status 7")
    wait_gone(shared)


@full
def test_a_rank_that_is_killed_is_told_by_its_signal(shared: GangLab) -> None:
    """As the system would for want of memory."""
    ended = shared.run(*shell('[ "$RANK" != 1 ] || kill -KILL $$; exec sleep 300'))

    assert ended.code == "rank_failed", (ended.message, ended.errors)
    assert ended.message.startswith("rank 1 on gang-1 was ended by SIGKILL")
    wait_gone(shared)


@full
def test_an_abort_fails_the_benchmark(shared: GangLab) -> None:
    """Some launchers let no rank say what it ended with."""
    abort = "from mpi4py import MPI; MPI.COMM_WORLD.rank == 1 and MPI.COMM_WORLD.Abort(9); MPI.COMM_WORLD.barrier()"
    ended = shared.run("python3", "-c", abort)

    assert ended.code in {"rank_failed", "launcher_failed"}, (ended.message, ended.errors)
    assert "9" in ended.message
    assert ended.trouble is not None
    assert ended.trouble.exit_code == 1


@full
def test_a_program_that_is_missing_is_told(shared: GangLab) -> None:
    """It could not be measured."""
    ended = shared.run("no-such-program")

    assert ended.code == "mpi_refused"
    assert "found no program no-such-program" in ended.message


@full
def test_sigterm_ends_program_and_launch(shared: GangLab) -> None:
    """The program gets the signal and has its time; nothing of it is left."""
    order = shared.order(shell("trap 'exit 3' TERM; echo begun; sleep 300 & wait"))
    shared.begin(order)
    wait_says(shared, "begun", 2)
    assert shared.launcher
    shared.launcher.kill("SIGTERM")
    ended = shared.finish(order)

    assert (ended.status, ended.trouble, ended.report.stopped) == (143, None, True)
    wait_gone(shared)


@full
def test_a_launcher_that_is_killed_leaves_no_rank(shared: GangLab) -> None:
    """Its connections end, and with them what hung on them."""
    shared.begin(shared.order(shell("echo begun; exec sleep 300")))
    wait_says(shared, "begun", 2)
    assert shared.programs()
    assert shared.launcher
    shared.launcher.kill("SIGKILL")

    wait_gone(shared)


@full
def test_ranks_are_told_by_the_order_of_the_plan_or_not_measured(shared: GangLab) -> None:
    """The user's options put them elsewhere: nothing runs."""
    elsewhere = {"openmpi": ["--map-by", "node"], "mpich": ["-ppn", "1"], "intel": ["-ppn", "1"]}
    ended = shared.run(*shell("echo measured"), slots=2, ranks=4, options=elsewhere[shared.kind.implementation])

    assert ended.code == "misplaced", (ended.message, ended.errors)
    assert "planned: gang-0: 0-1; gang-1: 2-3" in ended.message
    assert ended.output == ""


@full
def test_settings_of_an_image_put_no_rank_elsewhere(shared: GangLab) -> None:
    """As those of Kubeflow's operator would: Open MPI 5 then runs all ranks where the launcher is, and says 0."""
    settings = {
        "OMPI_MCA_orte_default_hostfile": "/etc/hostname",
        "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
        "OMPI_MCA_plm_rsh_args": "-o ConnectionAttempts=10",
        "PRTE_MCA_prte_default_hostfile": "/etc/hostname",
        "HYDRA_HOST_FILE": "/etc/hostname",
        "I_MPI_HYDRA_HOST_FILE": "/etc/hostname",
        "I_MPI_PERHOST": "2",
    }
    ended = shared.run(*shell("true"), env=settings)

    assert ended.trouble is None, (ended.message, ended.errors)
    assert ended.report.census == {0: "gang-0", 1: "gang-1"}


@full
def test_output_is_neither_lost_nor_cut(shared: GangLab) -> None:
    """Eight megabytes a second from each rank."""
    lines, size = 64, 1 << 18
    writes = f"import time\nfor n in range({lines}): print('x' * {size}, flush=True); time.sleep({size / 8e6})"
    ended = shared.run("python3", "-c", writes)

    assert ended.trouble is None, (ended.message, ended.errors)
    assert ended.output.count("x") == 2 * lines * size


@full
def test_the_death_of_a_host_is_no_success(own: GangLab) -> None:
    """Whatever the launcher's status is; it ends soon by itself."""
    order = own.order(["python3", "-c", LOOP], slots=2)
    own.begin(order)
    wait_says(own, "begun", 4)
    own.members[1].kill("SIGKILL")
    ended = own.finish(order)

    assert ended.code == "worker_lost", (ended.message, ended.errors)
    assert ended.trouble is not None
    assert ended.trouble.exit_code == 5
    assert "gang-1" in ended.message
    assert "gang-0" not in ended.message
    wait_gone(replace(own, members=own.members[:1]))


@full
@pytest.mark.parametrize("name", KINDS)
def test_root_launches_too(name: str) -> None:
    """Open MPI has to be told that this is meant."""
    with gang(name, user=0) as lab:
        ended = lab.run("python3", "-c", REDUCE)
    assert (ended.status, ended.trouble) == (0, None), (ended.message, ended.errors)


@full
@pytest.mark.parametrize(
    ("options", "words"),
    [({"user": 0, "options": SEALED}, "sshd of root lacks rights"), ({"user": 4321}, "user 4321 has no name")],
)
def test_a_member_that_cannot_let_anybody_in_says_why(options: dict[str, Any], words: str) -> None:
    """Before sshd would fail of it with words of its own, or none."""
    with gang("openmpi 4", size=1, **options) as lab:
        assert lab.members[0].wait(timeout=60)["StatusCode"] == 127
        assert words in lab.members[0].logs().decode()


@full
@pytest.mark.parametrize("name", KINDS)
def test_a_sealed_gang_launches(name: str) -> None:
    """Nothing can be written but its own folders, and there is no right that sshd could give up."""
    with gang(name, options=SEALED) as lab:
        ended = lab.run("python3", "-c", REDUCE)
    assert (ended.status, ended.trouble) == (0, None), (ended.message, ended.errors)


@full
@pytest.mark.parametrize("name", KINDS)
def test_without_hosts_all_ranks_run_here(name: str) -> None:
    """More of them than the machine has CPUs, and nobody listens for ssh."""
    with gang(name, size=0) as lab:
        ended = lab.run("python3", "-c", REDUCE, ranks=5)
    assert (ended.status, ended.trouble) == (0, None), (ended.message, ended.errors)
    assert ended.output.count(": 15") == 5
    assert ended.report.census == {}
    assert {rank: end.host for rank, end in ended.report.ranks.items()} == dict.fromkeys(range(5), "-")


@full
def test_hosts_that_cannot_be_reached_are_told_each_with_its_stage() -> None:
    """One that is not known, one where nobody listens, one that lets the launcher not in, one without this MPI."""
    with gang("openmpi 4", size=1) as lab:
        denied = lab.add(keys=replace(make_keys(), host_private=lab.keys.host_private))
        strange = lab.add(keys=replace(make_keys(), public=lab.keys.public))
        no_mpi = lab.add(kind=replace(KINDS["openmpi 5"], path=Kind.path))
        other = lab.add(kind=KINDS["openmpi 5"])
        hosts = {
            "well": mpi_lab.address(lab.members[0]),
            "unknown": "no-such-host.invalid",
            "silent": "127.0.0.1",
            "denied": mpi_lab.address(denied),
            "strange": mpi_lab.address(strange),
            "without": mpi_lab.address(no_mpi),
            "other": mpi_lab.address(other),
        }
        asked = [Host(name=name, address=at) for name, at in hosts.items()]
        ended = lab.run(*shell("echo measured"), hosts=asked, ranks=len(asked), within=10.0)

    stages = {host: each.stage for host, each in ended.report.reached.items()}
    assert stages == {
        "well": "ok",
        "unknown": "not_resolved",
        "silent": "refused",
        "denied": "denied",
        "strange": "denied",
        "without": "no_mpi",
        "other": "other_mpi",
    }
    assert (ended.code, ended.output) == ("gang_not_reached", "")
    assert "the launcher reached 1 of 7 workers" in ended.message
    assert all(name in ended.message for name in stages if name != "well")


@full
def test_a_host_that_is_late_is_waited_for() -> None:
    """As long as it comes within the time that it has."""
    with gang("openmpi 4", size=1) as lab:
        late = lab.add()
        late.pause()
        order = lab.order(shell("echo measured"), within=60.0)
        lab.begin(order)
        time.sleep(3)
        late.unpause()
        ended = lab.finish(order)

    assert ended.trouble is None, (ended.message, ended.errors)
    assert ended.report.reached["gang-1"].seconds > 1


@full
@pytest.mark.parametrize(
    ("implementation", "words"), [("mpich", "mpirun says: mpirun (Open MPI) 4"), ("intel", "Open MPI")]
)
def test_another_mpi_than_asked_for_is_refused(implementation: str, words: str) -> None:
    """The words are its own."""
    with gang("openmpi 4", size=1) as lab:
        ended = lab.run(*shell("echo measured"), implementation=implementation)

    assert (ended.code, ended.output) == ("mpi_unsupported", "")
    assert words in ended.message


@full
def test_no_key_is_told() -> None:
    """Neither in what is printed nor in what is reported, by launcher and members."""
    with gang("openmpi 4") as lab:
        ended = lab.run(*shell(f"env; cat {shlex.quote(str(beside(mpi_lab.METRICS)))} 2>&1; true"))
        told = ended.output + ended.errors + "".join(member.logs().decode() for member in lab.members)

    assert ended.trouble is None
    secrets = [line for text in (lab.keys.private, lab.keys.host_private) for line in text.splitlines()[1:-1]]
    assert not [line for line in secrets if line in told]

"""The launch of MPI programs: its script in a real shell with a launcher that is played, and what its report means."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.errors import ExitCode
from windtunnel.mpi.keys import Keys, make_keys
from windtunnel.mpi.launch_report import LaunchReport
from windtunnel.mpi.launch_script import Host, Order, beside, launch_argv, launch_files
from windtunnel.mpi.launch_trouble import find_trouble
from windtunnel.mpi.sshd import member_argv, member_files

KEYS = make_keys()
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
MPIRUN = """\
#!/bin/sh
# Runs ranks one after the other, as Open MPI would.
[ "$1" != --version ] || { echo "mpirun (Open MPI) VERSION"; exit; }
ranks=$2
while [ "$1" != /bin/sh ]; do shift; done
OMPI_COMM_WORLD_RANK=0
export OMPI_COMM_WORLD_RANK
worst=0
while [ $OMPI_COMM_WORLD_RANK -lt $ranks ]; do
  "$@" || worst=$?
  OMPI_COMM_WORLD_RANK=$((OMPI_COMM_WORLD_RANK + 1))
done
exit $worst
"""
GOOD = """\
version\t4.1.4\t/usr/bin/mpirun
host\tgang-0\tok\t12\t10.0.0.9
host\tgang-1\tok\t340\t10.0.0.9
barrier\t345
placed\t0\tgang-0
placed\t1\tgang-1
census\t0\t55\t
run\t0\t1234
rank\t0\tgang-0\tbegan
rank\t0\tgang-0\tended\t0\t1700000000\tno
rank\t1\tgang-1\tbegan
rank\t1\tgang-1\tended\t0\t1700000000\tno
"""


class Done(NamedTuple):
    """What a launch ended with, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def order(folder: Path, *command: str, **changes: Any) -> Order:
    """Return an order to run a command where the launcher is."""
    asked: dict[str, Any] = {
        "implementation": "openmpi",
        "ranks": 1,
        "slots": 1,
        "hosts": (),
        "variables": (),
        "options": (),
        "within": 5.0,
        "work": folder / "work",
        "metrics": folder / "results" / "metrics.jsonl",
        "iteration": 1,
    }
    return Order(command=command, **asked | changes)


HOSTS = (Host(name="gang-0", address="10.0.0.1"), Host(name="gang-1", address="10.0.0.2"))
PLANNED = order(Path("/windtunnel"), "measure", ranks=2, hosts=HOSTS)


def put(path: Path, text: str, mode: int = 0o444) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def launch(
    folder: Path,
    asked: Order,
    *,
    programs: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    keys: Keys | None = None,
) -> tuple[Done, LaunchReport]:
    """Carry out an order with programs that are played, an Open MPI 4 unless said; return what came of it."""
    for name, text in (programs or {"mpirun": MPIRUN.replace("VERSION", "4.1.4")}).items():
        put(folder / "bin" / name, text, 0o755)
    for path, text in launch_files(asked, keys).items():
        put(folder / "work" / path, text)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        launch_argv(folder / "work"),
        cwd=folder / "work",
        env={**(env or {}), "PATH": path},
        capture_output=True,
        timeout=60,
        check=False,
    )
    # As they are: reading text would make line feeds of carriage returns.
    told = (stream.decode("utf-8") for stream in (done.stdout, done.stderr))
    return Done(done.returncode, *told), LaunchReport.parse(
        Path(beside(asked.metrics)).read_text(encoding="utf-8"), asked
    )


@pytest.mark.long
@given(words=st.lists(TEXT, max_size=3), value=TEXT, late=TEXT)
def test_any_words_and_variables_reach_the_ranks(words: list[str], value: str, late: str) -> None:
    """No shell on the way takes them for anything else."""
    with tempfile.TemporaryDirectory() as name:
        told = 'printf "%s\\0" "$@" "$GIVEN" "$LATE"'
        asked = order(Path(name), "sh", "-c", told, "sh", *words, variables=["GIVEN"], exports={"LATE": late})
        done, report = launch(Path(name), asked, env={"GIVEN": value})

    assert (done.stdout, done.stderr) == ("".join(f"{each}\0" for each in (*words, value, late)), "")
    assert find_trouble(report, "client") is None


def test_each_rank_knows_its_number_and_how_many_there_are(tmp_path: Path) -> None:
    """By the names that programs without MPI know."""
    done, report = launch(tmp_path, order(tmp_path, "sh", "-c", 'echo "$RANK of $WORLD_SIZE"', ranks=3))

    assert done.stdout.splitlines() == ["0 of 3", "1 of 3", "2 of 3"]
    assert {rank: end.status for rank, end in report.ranks.items()} == {0: 0, 1: 0, 2: 0}


def test_a_ranks_status_is_told_though_the_launcher_forgets_it(tmp_path: Path) -> None:
    """What mpirun ends with is no evidence."""
    forgetful = MPIRUN.replace("VERSION", "5.0.11").replace("exit $worst", "exit 0")
    asked = order(tmp_path, "sh", "-c", '[ "$RANK" -ne 1 ] || exit 7', ranks=2)
    done, report = launch(tmp_path, asked, programs={"mpirun": forgetful})

    assert (done.returncode, report.run_status) == (0, 0)
    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert (trouble.code, trouble.step, trouble.exit_code) == ("rank_failed", "client", ExitCode.BENCHMARK_FAILED)
    assert trouble.message == "rank 1 exited with status 7"


@pytest.mark.parametrize(
    ("implementation", "said", "words"),
    [
        ("openmpi", "mpirun (Open MPI) 6.0.0", "is version 6.0.0"),
        ("openmpi", "HYDRA build details:\nVersion: 5.0", "says: HYDRA build details: Version: 5.0"),
        ("mpich", "HYDRA build details:\n    Version:    3.4.1", "is version 3.4.1"),
        ("intel", "Intel(R) MPI Library for Linux* OS, Version 2019 Update 8 Build 1", "is version 2019"),
        ("intel", "mpirun (Open MPI) 4.1.4", "says: mpirun (Open MPI) 4.1.4"),
    ],
)
def test_a_launcher_that_is_not_known_is_refused(tmp_path: Path, implementation: str, said: str, words: str) -> None:
    """With what it says of itself; nothing is run."""
    program = f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n"
    asked = order(tmp_path, "echo", "measured", implementation=implementation)
    done, report = launch(tmp_path, asked, programs={"mpirun": program, "mpiexec.hydra": program})

    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert (trouble.code, trouble.exit_code) == ("mpi_unsupported", ExitCode.PLATFORM)
    assert words in trouble.message


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("ssh: Could not resolve hostname gang-0: Name or service not known", "not_resolved"),
        ("ssh: connect to host 10.0.0.1 port 2222: Connection refused", "refused"),
        ("ssh: connect to host 10.0.0.1 port 2222: Connection timed out", "refused"),
        ("kex_exchange_identification: Connection closed by remote host", "refused"),
        ("mpi@10.0.0.1: Permission denied (publickey).", "denied"),
        ("@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", "denied"),
        ("No user exists for uid 1234", "denied"),
    ],
)
def test_sshs_own_words_say_how_far_the_launcher_came(tmp_path: Path, words: str, stage: str) -> None:
    """Each host is told with its stage and the last line of them."""
    ssh = f"#!/bin/sh\ncat >&2 <<'END'\n{words}\r\nEND\nexit 255\n"
    programs = {"mpirun": MPIRUN.replace("VERSION", "4.1.4"), "ssh": ssh}
    asked = order(tmp_path, "echo", "measured", ranks=2, hosts=HOSTS, within=1.0)
    done, report = launch(tmp_path, asked, programs=programs, keys=KEYS)

    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert {host: each.stage for host, each in report.reached.items()} == {"gang-0": stage, "gang-1": stage}
    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert (trouble.code, trouble.exit_code) == ("gang_not_reached", ExitCode.PLATFORM)
    assert words.splitlines()[-1].strip() in trouble.message


SSH_HERE = "#!/bin/sh\necho noise of a profile\nSSH_CONNECTION='10.0.0.9 1 10.0.0.1 2222' exec /bin/sh -s\n"
ON_HERE = {"mpirun": MPIRUN.replace("VERSION", "4.1.4"), "orted": "#!/bin/sh\n", "ssh": SSH_HERE}


def test_a_host_whose_shell_runs_nothing_lets_nobody_in(tmp_path: Path) -> None:
    """What it says instead of an answer is told."""
    words = "This account is currently not available."
    programs = {**ON_HERE, "ssh": f"#!/bin/sh\necho '{words}'\nexit 1\n"}
    _done, report = launch(tmp_path, order(tmp_path, "echo", hosts=HOSTS[:1]), programs=programs, keys=KEYS)

    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert trouble.code == "gang_not_reached"
    assert "gang-0: denied, it does not let the launcher in" in trouble.message
    assert words in trouble.message


def test_what_a_hosts_shell_prints_before_an_answer_is_none(tmp_path: Path) -> None:
    """Such as a profile's words: neither the check nor what ranks noted and measured has them."""
    asked = order(tmp_path, "sh", "-c", 'echo "$RANK" >>"$M"', variables=["M"], hosts=HOSTS[:1])
    done, report = launch(tmp_path, asked, programs=ON_HERE, env={"M": str(asked.metrics)}, keys=KEYS)

    assert (done.stderr, report.reached["gang-0"].words) == ("", "10.0.0.9")
    assert find_trouble(report, "client") is None
    assert Path(asked.metrics).read_text().split() == ["0"]


@pytest.mark.parametrize("left", ['mkdir "$M"', 'mkfifo "$M"', 'ln -s /etc/passwd "$M"'])
def test_measurements_of_a_host_that_are_no_file_make_the_result_invalid(tmp_path: Path, left: str) -> None:
    """As they do of any other client; what a link leads to is left alone."""
    asked = order(tmp_path, "sh", "-c", left, variables=["M"], hosts=HOSTS[:1])
    _done, report = launch(tmp_path, asked, programs=ON_HERE, env={"M": str(asked.metrics)}, keys=KEYS)

    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert (trouble.code, trouble.exit_code) == ("unreadable_output", ExitCode.INVALID)


def test_what_a_host_measured_is_fetched_once(tmp_path: Path) -> None:
    """And begins a line of its own, whatever was there before; the next iteration finds nothing there."""
    measured = tmp_path / "far" / "metrics.jsonl"
    put(measured, "5")
    far = f"#!/bin/sh\nsed 's,^metrics=.*,metrics={measured},' | SSH_CONNECTION=10.0.0.9 /bin/sh -s\n"
    asked = order(tmp_path, "true", hosts=HOSTS[:1])
    put(Path(asked.metrics), "4")
    for _iteration in range(2):
        launch(tmp_path, asked, programs={**ON_HERE, "ssh": far}, keys=KEYS)

    assert Path(asked.metrics).read_text().split() == ["4", "5"]
    assert not measured.exists()


def test_a_launcher_that_starts_no_rank_is_told_in_its_own_lines(tmp_path: Path) -> None:
    """As it wrote them, without those that are empty at the end."""
    refusing = MPIRUN.replace("VERSION", "4.1.4").replace("ranks=$2", "printf 'No slots.\\nGive more.\\n' >&2; exit 1")
    asked = order(tmp_path, "echo", hosts=HOSTS[:1])
    _done, report = launch(tmp_path, asked, programs={**ON_HERE, "mpirun": refusing}, keys=KEYS)

    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert (trouble.code, trouble.log_tail) == ("mpi_refused", ("No slots.", "Give more."))


def test_what_ranks_left_behind_on_a_host_is_ended_and_told(tmp_path: Path) -> None:
    """It would run beside the next iteration."""
    left = 'setsid sleep 300 >"$O" 2>&1 & echo "$!" >"$O"'
    asked = order(tmp_path, "sh", "-c", left, variables=["O"], hosts=HOSTS[:1])
    _done, report = launch(tmp_path, asked, programs=ON_HERE, env={"O": str(tmp_path / "pid")}, keys=KEYS)

    assert report.left == {"gang-0": ["sleep"]}
    assert find_trouble(report, "client") is None
    status = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/status")
    assert not status.exists() or "zombie" in status.read_text()


HYDRA = "#!/bin/sh\n[ \"$1\" != --version ] || { printf 'HYDRA build details:\\n    Version: 5.0.2\\n'; exit; }\n"


@pytest.mark.parametrize(
    ("implementation", "libraries", "foreign"),
    [
        ("openmpi", ["libopen-pal.so.80", "libmpi.so.40"], None),
        ("openmpi", ["libpmix.so.2", "libmpich.so.12"], None),
        ("openmpi", ["libmpi.so.12"], "libmpi.so.12"),
        ("openmpi", ["libmpich.so.12"], "libmpich.so.12"),
        ("mpich", ["libmpi.so.12"], None),
        ("mpich", ["libopen-pal.so.80", "libmpi.so.40"], "libmpi.so.40"),
    ],
)
def test_a_program_of_another_mpi_is_seen(
    tmp_path: Path, implementation: str, libraries: list[str], foreign: str | None
) -> None:
    """By what it loads: each of its ranks would be the only one of a world of its own, and end well."""
    played = sysconfig.get_config_var("DESTSHARED")
    source = next(Path(played).glob("_json.*.so"))
    for name in libraries:
        put(tmp_path / "lib" / name, "")
        (tmp_path / "lib" / name).chmod(0o755)
        (tmp_path / "lib" / name).write_bytes(source.read_bytes())
    loads = "import ctypes, sys; [ctypes.CDLL(path) for path in sys.argv[1:]]"
    paths = [str(tmp_path / "lib" / name) for name in libraries]
    programs = {"mpirun": MPIRUN.replace("VERSION", "4.1.4"), "mpiexec.hydra": HYDRA + MPIRUN}
    asked = order(tmp_path, sys.executable, "-c", loads, *paths, implementation=implementation)
    done, report = launch(tmp_path, asked, programs=programs)
    trouble = find_trouble(report, "client")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert report.ranks[0].status == 0
    if foreign is None:
        assert trouble is None
    else:
        assert trouble is not None
        assert (trouble.code, trouble.exit_code) == ("other_mpi", ExitCode.INVALID)
        assert f"/{foreign}, which is not of" in trouble.message


def test_a_launcher_that_numbers_no_rank_starts_none(tmp_path: Path) -> None:
    """Nobody saw the end of any."""
    asked = order(tmp_path, "true")
    nameless = MPIRUN.replace("VERSION", "4.1.4").replace("export OMPI_COMM_WORLD_RANK", "")
    _done, report = launch(tmp_path, asked, programs={"mpirun": nameless})

    assert report.ranks == {}
    trouble = find_trouble(report, "client")
    assert trouble is not None
    assert trouble.code == "mpi_refused"


def test_keys_are_where_they_are_needed_and_not_shown() -> None:
    """The launcher has one private key, the members another; each knows the public one of the other."""
    launcher, member = launch_files(PLANNED, KEYS), member_files(KEYS, 2222)

    assert [path for path, text in launcher.items() if KEYS.private in text] == [".windtunnel/id"]
    assert [path for path, text in member.items() if KEYS.host_private in text] == [".windtunnel/host_key"]
    assert not [text for text in launcher.values() if KEYS.host_private in text]
    assert not [text for text in member.values() if KEYS.private in text]
    assert KEYS.host_public in launcher[".windtunnel/known_hosts"]
    assert KEYS.public in member[".windtunnel/authorized_keys"]
    assert "PRIVATE" not in repr(KEYS)


def test_host_keys_are_checked() -> None:
    """Nothing turns that off."""
    texts = launch_files(PLANNED, KEYS) | member_files(KEYS, 2222)

    assert "StrictHostKeyChecking yes" in texts[".windtunnel/ssh_config"]
    assert not [path for path, text in texts.items() if "StrictHostKeyChecking no" in text or "accept-new" in text]


def test_a_member_without_sshd_says_so(tmp_path: Path) -> None:
    """It is the image that lacks it."""
    for path, text in member_files(KEYS, 2222).items():
        put(tmp_path / path, text.replace("/usr/sbin:/usr/local/sbin:/sbin", "/nowhere"))
    (tmp_path / "bin").mkdir()
    done = subprocess.run(
        member_argv(tmp_path), env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 127
    assert done.stderr.startswith("windtunnel: this image has no sshd")


def test_a_good_report_has_all_facts() -> None:
    """In seconds, and without trouble."""
    report = LaunchReport.parse(GOOD, PLANNED)

    assert (report.version, report.barrier, report.census_seconds, report.run_seconds) == ("4.1.4", 3.45, 0.55, 12.34)
    assert report.census == PLANNED.placed == {0: "gang-0", 1: "gang-1"}
    assert report.reached["gang-1"].seconds == 3.4
    assert find_trouble(report, "client") is None


@given(length=st.integers(0, len(GOOD) - 1))
def test_a_report_that_ends_anywhere_is_no_good_one(length: int) -> None:
    """Its script was killed while it wrote."""
    assert find_trouble(LaunchReport.parse(GOOD[:length], PLANNED), "client") is not None


TROUBLES: dict[str, tuple[tuple[str, str], str, ExitCode, str]] = {
    "a host not reached": (
        ("host\tgang-1\tok\t340\t10.0.0.9", "host\tgang-1\trefused\t6000\tssh: refused"),
        "gang_not_reached",
        ExitCode.PLATFORM,
        "the launcher reached 1 of 2 workers: gang-1: refused, no connection to its sshd after 60.0 s (ssh: refused)",
    ),
    "ranks elsewhere": (
        ("placed\t1\tgang-1", "placed\t1\tgang-0"),
        "misplaced",
        ExitCode.PLATFORM,
        "ranks are elsewhere than planned: gang-0: 0-1; planned: gang-0: 0; gang-1: 1",
    ),
    "ranks where the launcher is": (
        ("placed\t0\tgang-0\nplaced\t1\tgang-1", "placed\t0\t-\nplaced\t1\t-"),
        "misplaced",
        ExitCode.PLATFORM,
        "ranks are elsewhere than planned: the launcher's own place: 0-1; planned: gang-0: 0; gang-1: 1",
    ),
    "no rank starts in time": (
        ("census\t0\t55\t", "census\t143\t500\t"),
        "mpi_refused",
        ExitCode.PLATFORM,
        "Open MPI 4.1.4 does not start ranks within 5 s",
    ),
    "a rank too many": (
        ("rank\t0\tgang-0\tbegan", "rank\t2\tgang-0\tbegan"),
        "rank_surplus",
        ExitCode.INVALID,
        "2 ranks are planned, and there was a rank 2, too",
    ),
    "no daemon starts": (
        ("census\t0\t55\t", "census\t213\t55\tno daemon"),
        "mpi_refused",
        ExitCode.PLATFORM,
        "Open MPI 4.1.4 does not start ranks: its status is 213",
    ),
    "a program missing": (
        ("rank\t1\tgang-1\tended\t0\t1700000000\tno", "rank\t1\tgang-1\tmissing\tmeasure"),
        "mpi_refused",
        ExitCode.PLATFORM,
        "rank 1 on gang-1 found no program measure",
    ),
    "a rank failed, the others were ended": (
        (
            "ended\t0\t1700000000\tno\nrank\t1\tgang-1\tbegan\nrank\t1\tgang-1\tended\t0\t1700000000\tno",
            "ended\t3\t1700000000\tyes\nrank\t1\tgang-1\tbegan\nrank\t1\tgang-1\tended\t7\t1700000001\tno",
        ),
        "rank_failed",
        ExitCode.BENCHMARK_FAILED,
        "rank 1 on gang-1 exited with status 7; 1 more failed after it, or were ended for it",
    ),
    "a rank killed": (
        ("rank\t1\tgang-1\tended\t0", "rank\t1\tgang-1\tended\t137"),
        "rank_failed",
        ExitCode.BENCHMARK_FAILED,
        "rank 1 on gang-1 was ended by SIGKILL",
    ),
    "a host lost": (
        ("rank\t1\tgang-1\tbegan\nrank\t1\tgang-1\tended\t0\t1700000000\tno", "lost\tgang-1\tno route"),
        "worker_lost",
        ExitCode.INVALID,
        "workers do not say how their ranks ended: gang-1 (no route)",
    ),
    "a rank whose end nobody saw": (
        ("rank\t1\tgang-1\tended\t0\t1700000000\tno\n", ""),
        "rank_lost",
        ExitCode.INVALID,
        "mpirun exited with status 0, and nobody saw the end of rank 1",
    ),
    "all ended by the launcher": (
        (
            "run\t0\t1234\nrank\t0\tgang-0\tbegan\nrank\t0\tgang-0\tended\t0\t1700000000\tno",
            "run\t9\t1234\nrank\t0\tgang-0\tbegan",
        ),
        "launcher_failed",
        ExitCode.BENCHMARK_FAILED,
        "mpirun exited with status 9, and ended rank 0",
    ),
    "a launcher that complains of good ranks": (
        ("run\t0", "run\t1"),
        "launcher_failed",
        ExitCode.BENCHMARK_FAILED,
        "mpirun exited with status 1, although every rank ended with status 0",
    ),
    "no rank began": (
        (GOOD[GOOD.index("run\t") :], "run\t134\t20\n"),
        "mpi_refused",
        ExitCode.PLATFORM,
        "mpirun was ended by SIGABRT before any rank began",
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_has_its_cause(name: str) -> None:
    """Exit status, word for machines, and words for people."""
    change, code, exit_code, message = TROUBLES[name]
    assert change[0] in GOOD
    trouble = find_trouble(LaunchReport.parse(GOOD.replace(*change), PLANNED), "client")

    assert trouble is not None
    assert (trouble.message, trouble.code, trouble.exit_code, trouble.step) == (message, code, exit_code, "client")


def test_a_launch_that_was_asked_to_end_has_no_trouble_of_its_own() -> None:
    """Who asked knows why."""
    assert find_trouble(LaunchReport.parse("version\t4.1.4\t/usr/bin/mpirun\nstopped\n", PLANNED), "client") is None

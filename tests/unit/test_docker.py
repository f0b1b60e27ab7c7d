"""Parts of the docker backend that need no daemon."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import os
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from support.needs import package
from windtunnel.backends import make_backend, urgency
from windtunnel.backends.archive import Content, packed, unpack
from windtunnel.backends.base import RunContext
from windtunnel.backends.docker import events, usage
from windtunnel.backends.docker.api import IS_FOLDER, DockerApi, map_errors
from windtunnel.backends.docker.config import proxy_variables
from windtunnel.backends.docker.daemon import Daemon, DaemonError
from windtunnel.backends.docker.events import Container, Watcher
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.kept_output import KeptOutput
from windtunnel.backends.docker.streams import lines
from windtunnel.backends.docker.task import ContainerTask
from windtunnel.backends.docker.usage import Cgroup, ContainerUsage, Look
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.platform import State
from windtunnel.backends.results import keep_results
from windtunnel.backends.running import Running
from windtunnel.backends.support import check_support
from windtunnel.backends.unit import Unit
from windtunnel.errors import Cancelled, InvalidResult, PlatformError, Unsupported, WindtunnelError
from windtunnel.plan import InputFile, Isolation, Job, Plan, Probe, Program, Readiness, Service
from windtunnel.run.control import Control


def archive_of(*entries: tuple[str, bytes, str | None]) -> list[bytes]:
    """Return the pieces of an archive of some entries: name, kind, and where a link leads or what a file holds."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            content = (text or "").encode() if kind == tarfile.REGTYPE else b""
            entry.size, entry.linkname = len(content), text or ""
            archive.addfile(entry, io.BytesIO(content))
    data = target.getvalue()
    return [data[start : start + 700] for start in range(0, len(data), 700)]


def test_only_files_come_out_of_a_container_and_only_to_their_place(tmp_path: Path) -> None:
    """Links, devices and names that lead elsewhere are left out; a second name of a file is a copy."""
    pieces = archive_of(
        ("results/out/a.txt", tarfile.REGTYPE, "a" * 5000),
        ("results/out/second", tarfile.LNKTYPE, "results/out/a.txt"),
        ("results/out/link", tarfile.SYMTYPE, "/etc/passwd"),
        ("results/out/stolen", tarfile.LNKTYPE, "results/../../etc/passwd"),
        ("results/out/pipe", tarfile.FIFOTYPE, None),
        ("results/../../escaped", tarfile.REGTYPE, "evil"),
        ("/etc/absolute", tarfile.REGTYPE, "kept below"),
    )
    others = unpack(pieces, tmp_path / "in" / "here")

    assert {str(name) for name in others} == {"out/link", "out/pipe"}
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        "in/here/out/a.txt": "a" * 5000,
        "in/here/out/second": "a" * 5000,
        "in/here/etc/absolute": "kept below",
    }


def test_zeros_that_come_out_of_a_container_take_no_space(tmp_path: Path) -> None:
    """A sparse file of a step's does not fill this machine's disk."""
    unpack(archive_of(("results/out/big", tarfile.REGTYPE, "a" + "\0" * (8 << 20) + "b" + "\0" * (1 << 20))), tmp_path)

    big = tmp_path / "out" / "big"
    content = big.read_bytes()
    assert (len(content), content.strip(b"\0")) == ((9 << 20) + 2, b"a" + b"\0" * (8 << 20) + b"b")
    assert big.stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize(
    ("architecture", "machine", "is_native"),
    [("amd64", "amd64", True), ("386", "amd64", True), ("", "amd64", True), ("arm64", "amd64", False)],
)
def test_an_image_for_another_machine_is_told_apart(architecture: str, machine: str, *, is_native: bool) -> None:
    """A smaller machine's programs run as they are."""
    assert Image("i", "sha256:1", None, "", {}, architecture).is_native(machine) == is_native


def test_an_archive_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    """Half a file is not taken for a whole one."""
    pieces = archive_of(("results/out/a.txt", tarfile.REGTYPE, "a" * 5000))[:3]

    with pytest.raises((tarfile.ReadError, OSError)):
        unpack(pieces, tmp_path)


@pytest.mark.parametrize("calls", [1, 40])
def test_packing_and_sending_an_archive_can_be_cancelled(tmp_path: Path, calls: int) -> None:
    """Each piece that is read asks, of the input and of the archive that goes to the daemon."""
    source = tmp_path / "source"
    source.write_bytes(b"x" * (1 << 20))
    asked = itertools.count()

    def check() -> None:
        if next(asked) == calls:
            raise Cancelled("by hand")

    content = Content(owner=(0, 0), inputs={"data.bin": source})

    def send() -> None:
        with packed(content, tmp_path, check=check) as target:
            while target.read(1 << 14):
                pass

    with pytest.raises(Cancelled):
        send()
    assert next(asked) == calls + 1


def test_files_inputs_and_folders_go_in_with_their_owner(tmp_path: Path) -> None:
    """Folders that the image may have are not touched; those of the step can be written by anybody."""
    source = tmp_path / "source"
    source.write_bytes(b"x" * (9 << 20))
    files = {"sub/deep/a.conf": "one", "/etc/b.conf": "two"}
    content = Content(owner=(1234, 100), files=files, inputs={"data.bin": source})
    with packed(content, tmp_path) as target, tarfile.open(fileobj=target) as archive:
        found = {entry.name: entry for entry in archive}

    assert set(found) == {
        "windtunnel",
        "windtunnel/work",
        "windtunnel/results",
        "windtunnel/results/out",
        "windtunnel/work/sub",
        "windtunnel/work/sub/deep",
        "windtunnel/work/sub/deep/a.conf",
        "etc/b.conf",
        "windtunnel/work/data.bin",
    }
    assert {(entry.uid, entry.gid) for entry in found.values()} == {(1234, 100)}
    assert {entry.mode for entry in found.values() if entry.isdir()} == {0o777}
    assert found["windtunnel/work/data.bin"].mode == 0o444
    assert found["windtunnel/work/data.bin"].size == 9 << 20


@pytest.fixture
def control_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for /sys/fs/cgroup."""
    monkeypatch.setattr(usage, "_ROOT", tmp_path)
    return tmp_path


def test_version_2_of_control_groups_is_read(control_groups: Path) -> None:
    """Microseconds of CPU, and memory without what the kernel would give up at once."""
    files = {
        "cpu.stat": "usage_usec 1500000\nuser_usec 1\nthrottled_usec 250000\n",
        "memory.current": "5000\n",
        "memory.stat": "anon 1\ninactive_file 1000\n",
        "cgroup.procs": f"{os.getpid()}\n",
    }
    for name, text in files.items():
        (control_groups / name).write_text(text)
    reading = Cgroup(control_groups, control_groups, control_groups, is_v2=True).read()

    assert reading is not None
    assert (reading.cpu, reading.throttled, reading.memory, reading.processes) == (1.5, 0.25, 4000, 1)
    assert reading.delays


def test_a_process_of_this_machine_that_is_no_container_has_no_group() -> None:
    """Process numbers of a daemon elsewhere mean something else here."""
    assert Cgroup.of(os.getpid(), "0123456789abcdef") is None
    assert Cgroup.of(2**22 + 1, "0123456789abcdef") is None


def test_waiting_is_what_threads_waited_or_else_what_the_limit_took() -> None:
    """None where nothing is known: no limit, and threads that cannot be seen."""
    seen = ContainerUsage(Mock(), "0123456789abcdef", 2**22 + 1)
    assert seen.waited(Look(0, 0, 0, 1, {1: 1_000_000_000})) == 1
    assert seen.waited(Look(0, 9, 0, 1, {1: 1_500_000_000, 2: 250_000_000})) == 1.75
    assert seen.waited(Look(0, 9, 0, 1, {2: 250_000_000})) == 1.75

    unseen = ContainerUsage(Mock(), "0123456789abcdef", 2**22 + 1)
    assert unseen.waited(Look(0, 0, 0, 1, None)) is None
    assert unseen.waited(Look(0, 3, 0, 1, None)) == 3


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("unix:///nowhere.sock", "no Docker daemon at unix:///nowhere.sock: No such file or directory"),
        ("tcp://127.0.0.1:9", "no Docker daemon at tcp://127.0.0.1:9: Connection refused"),
        ("tcp://here:x", "DOCKER_HOST=tcp://here:x: Port could not be cast to integer value as 'x'"),
        ("tcp://here:99999", "DOCKER_HOST=tcp://here:99999: Port out of range 0-65535"),
        ("ssh://somewhere", "DOCKER_HOST=ssh://somewhere: only unix:// and tcp:// are supported; forward the socket"),
    ],
)
def test_why_docker_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, host: str, says: str) -> None:
    """In words that name the address."""
    package("docker")
    monkeypatch.setenv("DOCKER_HOST", host)

    assert make_backend("docker").available() == says


def test_certificates_that_are_not_there_are_told(tmp_path: Path) -> None:
    """A daemon that wants TLS is not asked without."""
    with pytest.raises(ValueError, match=f"ca.pem, cert.pem and key.pem in {tmp_path}: No such file"):
        Daemon({"DOCKER_HOST": "tcp://127.0.0.1:9", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("config", "is_secure"),
    [
        ("[]", ""),
        ('{"auths": 5}', ""),
        ('{"auths": {"x": {"auth": "!!!"}}}', ""),
        ('{"proxies": {"default": 5}}', ""),
        ("{}", "1"),
    ],
)
def test_a_configuration_of_dockers_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, is_secure: str
) -> None:
    """As what it is, and not as a bug or a daemon that is not there; so are certificates that nobody gave."""
    package("docker")
    (tmp_path / "config.json").write_text(config)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", is_secure)

    # The SDK, which pulls images, is slow to load.
    from windtunnel.backends.docker.pulling import make_client

    with pytest.raises(PlatformError, match=r"Docker's config\.json or DOCKER_CERT_PATH cannot be used") as caught:
        make_client()
    assert caught.value.code == "docker_config"


@pytest.mark.parametrize("config", ["[]", "{", '{"proxies": 5}', '{"proxies": {"default": 5}}'])
def test_a_configuration_of_dockers_that_names_no_proxies_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    """Before anything is made: containers might have needed them."""
    (tmp_path / "config.json").write_text(config)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    with pytest.raises(PlatformError, match=r"Docker's config\.json .* cannot be used") as caught:
        proxy_variables("unix:///var/run/docker.sock")
    assert caught.value.code == "docker_config"


def test_containers_get_the_proxies_of_dockers_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from Docker's own clients: those of their daemon, else the default ones, and none without a configuration."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert proxy_variables("unix:///x.sock") == {}

    default, own = {"httpProxy": "http://one:3128", "noProxy": "localhost"}, {"httpsProxy": "http://two:3128"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": default, "tcp://far:2376": own}}))
    assert proxy_variables("unix:///x.sock") == {
        "http_proxy": "http://one:3128",
        "HTTP_PROXY": "http://one:3128",
        "no_proxy": "localhost",
        "NO_PROXY": "localhost",
    }
    assert proxy_variables("tcp://far:2376") == {"https_proxy": "http://two:3128", "HTTPS_PROXY": "http://two:3128"}


def test_a_plan_is_checked_before_anything_starts() -> None:
    """A step without an image is refused; placement is ignored with a note."""
    server = Service(
        name="server",
        program=Program(command=("serve",), image="i"),
        ready=Readiness(probe=Probe(kind="tcp"), within=1),
        port=0,
        placement="any",
    )
    job = Job(name="client", program=Program(command=("measure",), image="i"))
    plan = Plan(benchmark="b", strategy="client-server", timeout=1, steps=(server, job))
    backend = make_backend("docker")

    assert check_support(plan, backend) == ["server: placement 'any' is ignored; all is on the daemon's machine"]
    bare = Plan(benchmark="b", strategy="s", timeout=1, steps=(Job(name="client", program=Program(command=("x",))),))
    with pytest.raises(Unsupported, match="client: the docker backend needs an image"):
        check_support(bare, backend)


@pytest.mark.parametrize("where", ["files", "inputs"])
def test_a_sealed_step_takes_no_absolute_path(where: str) -> None:
    """Its root cannot be written; an open step takes them."""
    files = {"/etc/a.conf": "x"} if where == "files" else {}
    inputs = (InputFile(src="a", path="/srv/a"),) if where == "inputs" else ()

    def plan(isolation: Isolation) -> Plan:
        program = Program(command=("x",), image="i", files=files, isolation=isolation)
        steps = (Job(name="client", program=program),)
        return Plan(benchmark="b", strategy="s", timeout=1, steps=steps, inputs=inputs)

    backend = make_backend("docker")
    assert check_support(plan("open"), backend) == []
    with pytest.raises(Unsupported, match="client: it is sealed, so its root cannot be written"):
        check_support(plan("sealed"), backend)


@pytest.mark.parametrize(
    ("path", "is_seen"),
    [
        ("/etc/hosts", False),
        ("/proc/sys/x", False),
        ("/dev/shm/x", False),
        ("/windtunnel/results/metrics.jsonl", False),
        ("/windtunnel", False),
        ("/etc/hosts.allow", True),
        ("/windtunnel/work/a", True),
        ("etc/hosts", True),
    ],
)
def test_a_file_that_no_step_would_see_is_refused(path: str, *, is_seen: bool) -> None:
    """Docker mounts files of its own over some places, in each container; others are the run's."""
    job = Job(name="client", program=Program(command=("x",), image="i", files={path: "x"}))
    plan = Plan(benchmark="b", strategy="s", timeout=1, steps=(job,))

    if is_seen:
        assert check_support(plan, make_backend("docker")) == []
    else:
        with pytest.raises(Unsupported, match=f"client: nothing can be put at '{path}'"):
            check_support(plan, make_backend("docker"))


def test_a_server_that_would_be_taken_for_its_client_is_refused() -> None:
    """Each container calls itself localhost, whatever the network calls so."""
    program = Program(command=("serve",), image="i")
    ready = Readiness(probe=Probe(kind="tcp"), within=1)
    plan = Plan(
        benchmark="b", strategy="s", timeout=1, steps=(Service(name="localhost", program=program, ready=ready, port=0),)
    )

    with pytest.raises(Unsupported, match="localhost: no server can be called so on docker"):
        check_support(plan, make_backend("docker"))


@pytest.mark.parametrize(("cpu", "is_enough"), [(0.009, False), (0.01, True)])
def test_a_limit_of_cpu_that_linux_does_not_know_is_refused(cpu: float, *, is_enough: bool) -> None:
    """Docker would tell of it when the container is started, in words of its runtime's."""
    job = Job(name="client", program=Program(command=("x",), image="i", cpu=cpu))
    plan = Plan(benchmark="b", strategy="s", timeout=1, steps=(job,))

    if is_enough:
        assert check_support(plan, make_backend("docker")) == []
    else:
        with pytest.raises(Unsupported, match=r"client: resources\.cpu is at least 0\.01 on docker"):
            check_support(plan, make_backend("docker"))


class Told:
    """A stream of events that tells what a test gives it, and breaks off."""

    def __init__(self, *told: object) -> None:
        self._told = told
        self.is_closed = threading.Event()

    def pieces(self) -> Iterator[bytes]:
        """Tell the events."""
        yield from (json.dumps(event).encode() for event in self._told)

    def close(self) -> None:
        """End."""
        self.is_closed.set()


class HeldBack(Told):
    """A stream that tells what a test gives it once somebody listens, and then nothing more until it is closed."""

    def __init__(self, *told: object) -> None:
        super().__init__(*told)
        self.may_tell, self.is_over = threading.Event(), threading.Event()

    def pieces(self) -> Iterator[bytes]:
        """Tell the events."""
        self.may_tell.wait(30)
        yield from super().pieces()
        self.is_over.set()
        self.is_closed.wait(30)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watcher]:
    """Watch a stream of events."""

    def watch_(stream: Told, control: Control, doubt: Callable[[str], None] = print) -> Watcher:
        monkeypatch.setattr(events, "Stream", lambda *_, **__: stream)
        return Watcher(Mock(inspect_container=Mock(return_value={"State": {}})), Notifier(control), doubt)

    return watch_


def test_an_event_that_cannot_be_read_is_a_bug_and_no_lost_daemon(watch: Callable[..., Watcher]) -> None:
    """Exit 70 with the traceback, where a daemon that is only blamed would be exit 3."""
    control = Control(60)
    watcher = watch(Told({"Action": "die"}), control)

    with pytest.raises(WindtunnelError, match="KeyError: 'Actor'") as caught:
        control.wait(30)
    assert caught.value.code == "internal"
    watcher.check()


def happened(action: str, **attributes: str) -> dict[str, Any]:
    """Return what Docker tells of a container."""
    return {"Type": "container", "Action": action, "Actor": {"ID": "1", "Attributes": attributes}}


def container(**known: Any) -> Container:
    """Return a container of a server's whose output has ended."""
    output = Mock(is_awaited=lambda _died_at: False, trouble=lambda **_: None)
    return Container("1", "run-server", "server", output, **known)


@pytest.mark.parametrize("is_ended", [False, True])
def test_what_somebody_does_to_a_container_is_doubted(watch: Callable[..., Watcher], *, is_ended: bool) -> None:
    """Once for each kind of act; not what is done to one that this run ends."""
    told = [happened("pause"), happened("pause"), happened("update"), happened("kill", signal="19")]
    stream, doubt = HeldBack(*told), Mock()
    watcher = watch(stream, Control(60), doubt)
    watcher.add(container(is_ended=is_ended))
    stream.may_tell.set()
    assert stream.is_over.wait(30)
    watcher.close()

    acts = ["its container was paused", "the limits of its container were changed", "SIGSTOP was sent to its container"]
    expected = [(f"server: {act} by somebody else, through Docker",) for act in acts]
    assert [call.args for call in doubt.call_args_list] == ([] if is_ended else expected)


def test_an_event_stream_that_breaks_off_is_a_lost_daemon(watch: Callable[..., Watcher]) -> None:
    """No bug of Windtunnel's."""
    control = Control(60)
    watcher = watch(Told(), control)
    Notifier(control).wait(lambda: watcher._lost is not None, 0)  # noqa: SLF001 - what `check` raises
    watcher._thread.join(30)  # noqa: SLF001

    with pytest.raises(PlatformError, match="Docker tells no more what happens") as caught:
        watcher.check()
    assert caught.value.code == "daemon_lost"
    control.check()


def task_of(known: Container, step: Service | Job, context: RunContext | None = None, api: Any = None) -> ContainerTask:
    """Return the task of a container."""
    unit = Unit(step, None if isinstance(step, Service) else 1, 1, Mock(), step.program.command)
    return ContainerTask(unit, Path("log"), known, Mock(), context or Mock(), api, Mock(), Mock())


def job(**keys: Any) -> Job:
    """Return a job."""
    return Job(name="client", program=Program(command=("true",), **keys))


SHORT = "ran out of its memory of 64 MiB"
BY_SOMEBODY = "its container was removed by somebody"


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({"exit_code": 3}, State("gone", 3)),
        ({"exit_code": 0, "is_out_of_memory": True}, State("gone", 0, doubt=f"a process of it was killed, it {SHORT}")),
        ({"exit_code": 137, "is_out_of_memory": True}, State("gone", -9, reason="oom", words=SHORT)),
        (
            {"exit_code": 137, "is_removed": True},
            State("gone", -9, reason="removed", words="was removed by somebody", problem=BY_SOMEBODY),
        ),
    ],
)
def test_how_a_container_ended_is_told(known: dict[str, Any], state: State) -> None:
    """What was removed did not die, and what ran out of its memory has it as its cause."""
    assert task_of(container(**known), job(memory=64 * 2**20)).state == state


def test_a_container_whose_output_is_awaited_runs_still() -> None:
    """Its end is told once what it wrote last is there."""
    known = container(exit_code=0)
    known.output = Mock(is_awaited=lambda _died_at: True)

    assert task_of(known, job()).state.phase == "running"


def test_nobody_listens_to_a_container_that_a_lost_daemon_does_not_remove() -> None:
    """Its output is closed all the same, and the run has no thread that does not end."""
    known = container()
    with pytest.raises(PlatformError, match="removing it: the daemon does not answer"):
        task_of(known, job(), api=Mock(remove_container=Mock(side_effect=TimeoutError("timed out")))).remove()

    cast("Mock", known.output).close.assert_called_once()


def collect(pieces: list[bytes], folder: Path, is_urgent: Callable[[], bool] = lambda: False) -> tuple[Running, Mock]:
    """Keep the results of a client whose container holds these; return it, and the run's context."""
    api = Mock(fetch_archive=lambda *_: nullcontext((iter(pieces), {"mode": IS_FOLDER})))
    control = Mock()
    type(control).is_urgent = property(lambda _self: is_urgent())
    context = Mock(folder=Mock(path=folder), control=control)
    task = task_of(container(exit_code=0), job(), context, api)
    running = Running(Mock(), [task.unit], folder / "metrics", [task])
    keep_results(running, context)
    return running, context


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_metrics_that_are_no_file_end_the_run(tmp_path: Path, kind: bytes) -> None:
    """What was measured is lost, and that is told; artifacts are kept all the same."""
    pieces = archive_of(("results/out/a", tarfile.REGTYPE, "a"), ("results/metrics.jsonl", kind, "elsewhere"))

    with pytest.raises(InvalidResult, match="WINDTUNNEL_METRICS cannot be read: what stands there is no file"):
        collect(pieces, tmp_path)
    assert (tmp_path / "artifacts" / "client.1" / "a").read_text() == "a"


def test_in_a_hurry_what_was_fetched_until_then_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a large output is not waited for; a note tells."""
    monkeypatch.setattr(urgency, "HURRY_SECONDS", 0.0)
    pieces = archive_of(*((f"results/out/{name}", tarfile.REGTYPE, name * 50_000) for name in "abcd"))
    asked = itertools.count()
    _running, context = collect(pieces, tmp_path, lambda: next(asked) > len(pieces) // 2)

    kept = {path.name for path in (tmp_path / "artifacts" / "client.1").iterdir()}
    assert "a" in kept
    assert "d" not in kept
    context.journal.note.assert_called_once_with("what it wrote was fetched in part: somebody is in a hurry", "client")
    assert not (tmp_path / "work" / "client.1.results").exists()


def frame(text: bytes, stream: int = 1) -> bytes:
    """Return what Docker sends of a container's output."""
    return struct.pack(">BxxxL", stream, len(text)) + text


class Answered(io.BytesIO):
    """An answer that breaks off after its bytes, if it is told to."""

    def __init__(self, data: bytes, *, breaks: bool) -> None:
        super().__init__(data)
        self._breaks = breaks

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes."""
        data = super().read(size)
        if self._breaks and not data:
            raise http.client.IncompleteRead(b"")
        return data


def fetched(tmp_path: Path, answer: Any, is_urgent: Callable[[], bool] = lambda: False) -> KeptOutput:
    """Fetch the output of a container."""
    output = KeptOutput(Mock(answer=answer), "1", tmp_path / "log")
    assert not output.is_awaited(0)
    output.fetch(is_urgent)
    return output


def test_output_that_the_daemon_kept_is_fetched_whole(tmp_path: Path) -> None:
    """Both streams, in the daemon's order."""
    data = frame(b"one\n") + frame(b"two\n", 2) + frame(b"three\n")
    output = fetched(tmp_path, lambda *_: nullcontext(Answered(data, breaks=False)))

    assert output.trouble(is_over=True) is None
    assert output.path.read_text() == "one\ntwo\nthree\n"


def test_output_that_the_daemon_kept_is_fetched_though_results_cannot_be_kept(tmp_path: Path) -> None:
    """What is lost is the results alone."""
    stat, data = {"mode": IS_FOLDER}, frame(b"one\n")
    api = Mock(
        fetch_archive=lambda *_: nullcontext((iter([b"no archive"]), stat)),
        answer=lambda *_: nullcontext(Answered(data, breaks=False)),
    )
    known = container(exit_code=0)
    known.output = KeptOutput(api, "1", tmp_path / "log")
    task = task_of(known, job(), Mock(control=Mock(is_urgent=False)), api)
    with pytest.raises(PlatformError, match="what it wrote cannot be kept"):
        task.collect(tmp_path / "results")

    assert known.output.path.read_text() == "one\n"


def test_output_that_breaks_off_or_is_not_there_any_more_is_told(tmp_path: Path) -> None:
    """What came is kept."""
    cut = fetched(tmp_path, lambda *_: nullcontext(Answered(frame(b"one\n"), breaks=True)))
    assert cut.path.read_text() == "one\n"
    assert str(cut.trouble(is_over=True)).startswith("its output could not be fetched: IncompleteRead")

    gone = fetched(tmp_path, Mock(side_effect=DaemonError(404, "No such container: 1")))
    assert gone.trouble(is_over=True) == "its output could not be fetched: No such container: 1"


def test_in_a_hurry_output_is_fetched_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of it is not waited for."""
    monkeypatch.setattr(urgency, "HURRY_SECONDS", 0.0)
    asked = itertools.count()
    data = frame(b"one\n") + frame(b"two\n")
    output = fetched(tmp_path, lambda *_: nullcontext(Answered(data, breaks=False)), lambda: next(asked) > 0)

    assert output.path.read_text() == "one\n"
    assert output.trouble(is_over=True) == "its output could not be fetched: somebody is in a hurry"


def test_an_event_that_breaks_off_is_none() -> None:
    """The daemon was stopped while it told it: no bug of Windtunnel's."""
    answer = cast("http.client.HTTPResponse", io.BytesIO(b'{"a": 1}\n\n{"b": 2}\n{"c": '))

    assert list(lines(answer)) == [b'{"a": 1}\n', b'{"b": 2}\n']


def test_an_answer_that_is_no_json_is_a_daemon_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the page of a proxy."""
    page = Mock(status=200, read=lambda: b"<html>")
    monkeypatch.setattr(Daemon, "connect", lambda *_: Mock(getresponse=lambda: page))

    with pytest.raises(PlatformError, match="asking: the daemon does not answer: its answer is no JSON") as caught:
        ask_daemon()
    assert caught.value.code == "daemon_lost"


def ask_daemon() -> None:
    """Ask for something."""
    with map_errors("asking"):
        DockerApi({}).call("GET", "/info")

"""The commands, called in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.needs import package
from windtunnel.backends import BACKENDS
from windtunnel.cli import main
from windtunnel.cli.output import console
from windtunnel.engines import ENGINES, RUN_HERE
from windtunnel.engines.request import Request
from windtunnel.run import control
from windtunnel.run.record import RunRecord

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Call the command line in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    console.cache_clear()

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            main(list(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        else:
            code = 0
        return code, *capsys.readouterr()

    yield call
    console.cache_clear()


@pytest.fixture
def file(tmp_path: Path, single_node: str) -> str:
    """The name of a benchmark file in that folder."""
    (tmp_path / "b.toml").write_text(single_node, encoding="utf-8")
    return "b.toml"


def record_of(stdout: str) -> dict[str, Any]:
    """Return the one JSON object of a run."""
    return dict(json.loads(stdout))


def test_a_command_leaves_the_environment_as_it_was(
    command: Command, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person set for pydantic's plugins is still set, for what is started afterwards."""
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "logfire-plugin")
    before = dict(os.environ)
    assert command("validate", file)[0] == 0
    assert dict(os.environ) == before
    monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS")
    assert command("validate", file)[0] == 0
    assert "PYDANTIC_DISABLE_PLUGINS" not in os.environ


@pytest.mark.parametrize("strategy", ["single-node", "client-server"])
def test_init_writes_a_sample_that_is_valid(command: Command, strategy: str) -> None:
    """What it wrote can be validated at once."""
    code, out, err = command("init", strategy)
    assert (code, out, err) == (0, "", f"wrote {strategy}.toml; next: windtunnel run {strategy}.toml\n")
    steps = "1 step" if strategy == "single-node" else "2 steps"
    assert command("validate", f"{strategy}.toml") == (0, f"{strategy}.toml: valid, {strategy}, {steps}\n", "")


def test_init_does_not_overwrite(command: Command, file: str, single_node: str) -> None:
    """A file that is there stays as it is; another name can be given."""
    code, _out, err = command("init", "single-node", "--output", file)
    assert code == 2
    assert "b.toml exists already; name another with --output" in err
    assert Path(file).read_text(encoding="utf-8") == single_node
    assert command("init", "single-node", "-o", "other.toml")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init", "clientserver"], "no strategy 'clientserver'; did you mean 'client-server'?"),
        (["init", "single-node", "-o", "none/x.toml"], "none/x.toml: No such file or directory"),
        (["validate", "none.toml"], "none.toml: No such file or directory"),
        (["run", "b.toml", "--backend", "proces"], "no backend 'proces'; did you mean 'process'? (known: process, "),
        (["run", "b.toml", "--engine", "argo"], "its runs are not started from here; use `windtunnel submit FILE`"),
        (["run", "b.toml", "--engine", "inlin"], "no engine 'inlin'; did you mean 'inline'? (known: inline, prefect)"),
        (["run", "b.toml", "--set", "run.repeats=x"], "run.repeats: input should be a valid integer"),
        (
            ["install", "kuberntes"],
            "nothing is to be installed for 'kuberntes'; did you mean 'kubernetes'? (known: kubernetes, prefect, argo)",
        ),
        (["install", "argo", "--pool-type", "kubernetes"], "--pool-type goes with prefect; argo has no work pools"),
        (["install", "prefect", "--pool-type", "kubernets"], "no such type; did you mean 'kubernetes'?"),
        (["install", "prefect", "--image", "x"], "go with install prefect --pool-type kubernetes"),
        (["install", "argo", "--dry-run"], "go with install prefect --pool-type kubernetes"),
        (["install", "prefect", "--print"], "--namespace and --print go with kubernetes and argo"),
        (["show", "last"], "no run 'last' in runs"),
        (["report", "x"], "no run 'x' in runs"),
    ],
)
def test_a_wrong_call_is_refused(command: Command, file: str, arguments: list[str], words: str) -> None:
    """Exit 2, with words on standard error, and nothing is made."""
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert [path.name for path in Path().iterdir()] == [file]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--backend", "nonesuch"],
        ["--engine", "nonesuch"],
        ["--set", "run.repeats=x"],
        ["--repeats", "0"],
        ["--repeats", "many"],
        ["--nonesuch"],
    ],
)
def test_a_wrong_call_with_json_prints_the_object(command: Command, file: str, arguments: list[str]) -> None:
    """Exit 2 prints the object with a null run id, whatever it is that was wrong."""
    code, out, _err = command("run", file, "--json", *arguments)
    assert code == 2
    record = record_of(out)
    assert (record["run_id"], record["status"], record["exit_code"]) == (None, "failed", 2)


@pytest.mark.parametrize("wrong", [["--set", "run.repeats=x"], ["--repeats", "many"], ["--nonesuch"]])
@pytest.mark.parametrize(
    "options", [["--backend=docker", "--engine=prefect"], ["--backend", "docker", "--engine", "prefect"]]
)
def test_the_object_of_a_refusal_has_the_engine_and_the_backend(
    command: Command, file: str, options: list[str], wrong: list[str]
) -> None:
    """In whatever form, and after whatever mistake, they were given."""
    for arguments in ([*wrong, *options, "--json", file], [file, "--json", *options, *wrong]):
        record = record_of(command("run", *arguments)[1])
        assert (record["engine"], record["backend"]) == ("prefect", "docker")


def test_a_value_is_no_option(command: Command, file: str) -> None:
    """A benchmark that only looks like ``--json`` asks for no object."""
    assert command("run", file, "--set", "--json")[:2] == (2, "")


def test_the_help_of_run_names_all_backends_and_engines(command: Command) -> None:
    """They are those that can be chosen."""
    words = command("run", "--help")[1].replace("│", "").split()
    text = " ".join(words)
    assert f"Where steps run: {', '.join(BACKENDS)}." in text
    assert f"Who runs them: {', '.join(RUN_HERE)}." in text


def test_the_schema_is_printed(command: Command) -> None:
    """It is JSON on standard output."""
    code, out, err = command("schema")
    assert (code, err) == (0, "")
    assert json.loads(out)["title"] == "Benchmark"


def test_a_plan_is_shown(command: Command, client_server: str) -> None:
    """For people as a tree with what each step does, for machines as JSON."""
    live = 'live = { tcp = true }\nstop = ["halt", "[now]"]\nready = { exec = ["ping", "$PORT"], within = "5s" }\n'
    inputs = '\n[[inputs]]\nsrc = "a"\npath = "data"\n[run]\nwarmup = 1\nrepeats = 2\nfresh = true\n'
    Path("b.toml").write_text(client_server.replace("port = 0\n", f"port = 0\n{live}") + inputs, encoding="utf-8")
    code, out, _err = command("plan", "b.toml")
    assert code == 0
    for words in (
        "pair (client-server), at most 3600 s",
        "input data from a",
        "service server",
        "run serve --port $PORT",
        "ready when exec ping $PORT, within 5 s",
        "alive by tcp, every 2 s",
        "stop with halt [now], SIGKILL after 10 s",
        "job client after server",
        "1 warm-up + 2 measured iterations, each with fresh services",
        "measures rate",
    ):
        assert words in out
    code, out, _err = command("plan", "b.toml", "--format", "json", "--set", "run.repeats=7")
    assert json.loads(out)["steps"][1]["repeats"] == 7


def test_a_dry_run_prints_one_object(command: Command, file: str) -> None:
    """The recording backend measures nothing, so the run is invalid; all but the object goes to standard error."""
    code, out, err = command("run", file, "--backend", "recording", "--repeats", "2", "--json")
    record = record_of(out)
    assert (code, record["exit_code"], record["validity"], record["cause"]["code"]) == (5, 5, "invalid", "no_samples")
    assert record["overrides"] == ["run.repeats=2"]
    assert "note: the recording backend starts nothing and measures nothing" in err
    assert "benchmark 2/2: 0 samples" in err
    assert (Path(record["path"]) / "run.json").exists()


def test_a_run_is_found_again(command: Command, file: str) -> None:
    """It is listed, shown as it was, and reported."""
    _code, out, _err = command("run", file, "--backend", "recording", "--json")
    record = record_of(out)
    assert [run["run_id"] for run in json.loads(command("runs", "--json")[1])] == [record["run_id"]]
    assert record["run_id"] in command("runs")[1]
    assert json.loads(command("show", "last", "--json")[1]) == record
    assert "alone  failed, invalid  inline on recording" in command("show", record["run_id"])[1]
    code, out, _err = command("report", "last", "--output", "report.html")
    assert (code, out) == (0, "report: report.html\n")
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_each_run_of_a_sweep_has_the_whole_timeout(
    command: Command, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time begins when it does, not with the sweep: here each run takes most of it."""
    now, left = 0.0, []
    monkeypatch.setattr(control, "time", SimpleNamespace(monotonic=lambda: now))

    def start(request: Request) -> RunRecord:
        nonlocal now
        left.append(request.control.left)
        now += 3000
        return RunRecord(
            run_id="x",
            benchmark="x",
            strategy="x",
            engine="x",
            backend="x",
            status="succeeded",
            exit_code=0,
            sweep=request.sweep,
        )

    monkeypatch.setattr("windtunnel.engines.find_engine", lambda _name: start)
    Path("b.toml").write_text(f'{single_node}\n[matrix]\n"run.repeats" = [1, 2, 3]\n', encoding="utf-8")

    assert command("run", "b.toml", "--json", "--backend=recording")[0] == 0
    assert left == [3600, 3600, 3600]


def test_a_store_without_runs_has_none(command: Command) -> None:
    """That is no error."""
    assert command("runs") == (0, "", "no runs in runs\n")
    assert command("runs", "--json", "--store", "elsewhere") == (0, "[]\n", "")


@pytest.mark.parametrize("act", [("runs",), ("show", "last"), ("report", "last")])
def test_a_volume_claim_is_not_read_from_here(command: Command, act: tuple[str, ...]) -> None:
    """The message says who can, and where else the run is."""
    code, _out, err = command(*act, "--store", "pvc://claim/nightly")

    assert code == 2
    assert "pvc://claim/nightly: a volume claim is read by pods that mount it" in " ".join(err.split())


def test_a_store_that_cannot_be_written_is_refused(command: Command, file: str) -> None:
    """Exit 2 and the object without a run id, as nothing was started."""
    code, out, err = command("run", file, "--backend", "recording", "--json", "--set", f"output.store={file}/x")
    assert (code, record_of(out)["run_id"]) == (2, None)
    assert "cannot keep results in b.toml/x: Not a directory" in err


def test_what_is_to_be_installed_here_first_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests that are only printed were a bug where the platform's library is not installed: exit 70."""
    monkeypatch.setattr("windtunnel.extras.find_spec", lambda _name: None)
    code, out, err = command("install", "kubernetes", "--print", "--namespace", "bench")
    assert (code, out) == (3, "")
    assert "kubernetes: pip install 'windtunnel[kubernetes]'" in err


def test_doctor_says_what_works(command: Command) -> None:
    """The recording backend and the inline engine work everywhere; prefect does where it is installed."""
    rows = {row["name"]: row for row in json.loads(command("doctor", "--json")[1])}
    assert (rows["recording"]["works"], rows["inline"]["works"]) == (True, True)
    installed = find_spec("prefect") is not None
    assert (rows["prefect"]["works"], rows["prefect"]["reason"] is None) == (installed, installed)
    assert [row["name"] for row in rows.values() if row["kind"] == "engine"] == list(ENGINES)
    assert "recording" in command("doctor")[1]


@pytest.mark.parametrize(
    "words", [("doctor",), ("doctor", "--json"), ("run", "b.toml", "--backend", "docker", "--json")]
)
def test_a_password_of_a_daemons_address_is_not_shown(
    command: Command, file: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Docker's complaint about it repeats it, and the terminal may be a CI job's log."""
    package("docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://me:hunter2@host:port")
    text = Path(file).read_text(encoding="utf-8")
    Path(file).write_text(text.replace("[client]", '[client]\nimage = "i"'), encoding="utf-8")
    _code, stdout, stderr = command(*words)

    assert "tcp://me:[redacted]@host:port" in stdout + stderr
    assert "hunter2" not in stdout + stderr


def test_a_password_in_an_option_is_not_repeated(command: Command) -> None:
    """Whatever the option is for."""
    code, _stdout, stderr = command("runs", "--store", "http://me:hunter2@host/x")

    assert code == 2
    assert "hunter2" not in stderr


def test_the_version_is_printed(command: Command) -> None:
    """It is that of the installed package."""
    code, out, _err = command("--version")
    assert code == 0
    assert out.startswith("windtunnel 0.")


def test_a_bug_is_told_as_one(command: Command, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 70 with a traceback on standard error."""
    monkeypatch.setattr("windtunnel.strategies.make_plan", lambda _benchmark: 1 / 0)
    code, out, err = command("validate", file)
    assert (code, out) == (70, "")
    assert "ZeroDivisionError" in err


def test_a_bug_is_told_without_secrets(command: Command, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words may be another library's, which repeats addresses and what it was given."""

    def fail(_benchmark: object) -> None:
        raise RuntimeError("http://me:hunter2@host/x does not take swordfish-1")

    monkeypatch.setenv("SERVICE_TOKEN", "swordfish-1")
    monkeypatch.setattr("windtunnel.strategies.make_plan", fail)
    code, _out, err = command("validate", file)

    assert code == 70
    assert "http://me:[redacted]@host/x does not take [redacted]" in err
    assert "swordfish-1" not in err

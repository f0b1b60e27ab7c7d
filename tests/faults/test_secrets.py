"""A benchmark full of marked secrets is run for real, and all that it left is searched for them."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import pytest

from support import needs, prefect_home
from support.lab import Lab, Result, single_node
from support.needs import package
from support.secrets import KEPT, MARK, SHORT, full_of_secrets, leaks, leaks_below


def assert_nothing_leaks(lab: Lab, file: Path, result: Result) -> None:
    """Fail if a secret is anywhere but in the benchmark's own file."""
    text = file.read_text()
    file.unlink()
    assert (leaks(result.stdout), leaks(result.stderr), leaks_below(lab.path)) == ([], [], [])
    assert len(leaks(text)) > 20


@pytest.mark.parametrize("end", [0, 3])
def test_no_secret_is_left_by_a_run(lab: Lab, end: int) -> None:
    """Not in its folder (logs and artifacts too), nor on the terminal, whether the client succeeds or fails."""
    lab.env["GITHUB_TOKEN"] = f"{MARK}_inherited"
    file = lab.write(full_of_secrets("full", end=end))
    changes = [f"client.env.OTHER_TOKEN={MARK}_set", f'client.env.SHORT_PASS="{SHORT}"']
    result = lab.call("run", str(file), "--json", "--report", *(word for each in changes for word in ("--set", each)))
    told = lab.call("show", "last")

    assert result.exit_code == (1 if end else 0), result.stderr
    assert (leaks(told.stdout), leaks(told.stderr)) == ([], [])
    assert_nothing_leaks(lab, file, result)
    run = lab.only_run()
    assert json.loads((run / "samples.jsonl").read_text().splitlines()[0])["value"] == 42
    assert KEPT in (run / "logs" / "client.1.log").read_text()


def test_a_sweep_tells_none_of_its_secrets(lab: Lab) -> None:
    """Each run's file stays TOML and hides those of all combinations; what only looks alike stays."""
    file = lab.write(full_of_secrets("sweep", matrix=True))
    checked = lab.call("validate", str(file), "--set", "client.command=5")
    planned = [lab.call("plan", str(file), "--format", kind) for kind in ("text", "json")]
    result = lab.call("run", str(file), "--json")

    assert result.exit_code == 0, result.stderr
    assert [leaks(each.stdout + each.stderr) for each in (checked, *planned)] == [[], [], []]
    assert "client.env.MATRIX_TOKEN" in checked.stderr
    assert_nothing_leaks(lab, file, result)
    for run in (lab.path / "runs").iterdir():
        document = tomllib.loads((run / "benchmark.toml").read_text())
        assert document["client"]["env"]["TOKENIZER"] == document["client"]["env"]["PUBLIC_KEY"] == KEPT
        assert document["client"]["env"]["MAX_TOKENS"] == "8192"
        assert document["matrix"] == {"client.env.MATRIX_TOKEN": ["[redacted]", "[redacted]"]}


def test_an_input_that_cannot_be_had_does_not_tell_its_address(lab: Lab) -> None:
    """The cause names the input without the user's password and the address's signature."""
    address = f"http://somebody:{MARK}_user@127.0.0.1:1/x?X-Amz-Signature={MARK}_signature_0123&token={MARK}_token"
    text = full_of_secrets("input") + f'[[inputs]]\nsrc = "{address}"\npath = "x"\n'
    file = lab.write(text)
    result = lab.call("run", str(file), "--json")

    assert result.exit_code == 3
    assert result.cause == "input_unavailable"
    assert "127.0.0.1:1/x" in result.stderr
    assert_nothing_leaks(lab, file, result)


def test_no_secret_is_left_by_a_run_on_docker(lab: Lab) -> None:
    """Not in its folder, nor on the terminal, nor in what the daemon still tells of any container."""
    package("docker")
    from support import docker_lab

    file = lab.write(full_of_secrets("full", image=docker_lab.image(), end=3))
    result = lab.call("run", str(file), "--backend", "docker", "--json")

    assert result.exit_code == 1, result.stderr
    with docker_lab.docker_client() as client:
        held = [client.api.inspect_container(each["Id"]) for each in client.api.containers(all=True)]
    assert leaks(json.dumps(held, indent=1)) == []
    assert_nothing_leaks(lab, file, result)


def test_a_trace_of_system_calls_has_no_secret(lab: Lab) -> None:
    """It is masked before it is compressed: commands and what is written stand there."""
    needs.program("strace", "strace")
    token = f"{MARK}_traced"
    tables = f'[client.env]\nAPI_TOKEN = "{token}"'
    result = lab.run(single_node(["sh", "-c", f"echo {token}"], f"trace = true\n{tables}"))

    assert result.exit_code == 5, result.stderr  # it measures nothing
    (record,) = lab.only_run().rglob("strace.txt.gz")
    text = gzip.decompress(record.read_bytes()).decode()
    assert "echo *" in text
    assert leaks(text) == []


@pytest.mark.timeout(600)
@pytest.mark.full
def test_the_prefect_engine_tells_a_server_no_secret(lab: Lab) -> None:
    """Parameters, states, logs, artifacts and results, all in its home and database, have none."""
    package("prefect")
    lab.env |= prefect_home.own_server(lab.path / "prefect")
    file = lab.write(full_of_secrets("full", end=3))
    result = lab.call("run", str(file), "--engine", "prefect", "--json")

    assert result.exit_code == 1, result.stderr
    databases = [path.read_bytes() for path in (lab.path / "prefect").glob("prefect.db*")]
    assert any(b"last words: " in each for each in databases)
    assert_nothing_leaks(lab, file, result)

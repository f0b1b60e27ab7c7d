"""A secret in env never reaches the run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.plan import Plan
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.secrets import REDACTED, Redaction

RunRecorded = Callable[..., RunRecord]


def with_env(text: str, env: str) -> str:
    """Return a benchmark whose client has this env table."""
    return text.replace('command = ["measure"', f'env = {env}\ncommand = ["measure"', 1)


def everything_in(folder: Path) -> str:
    """Return all that a run's folder says, names included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path}\n{path.read_text(encoding='utf-8')}" for path in files)


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "passwd", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_SECRET", "API_KEY", "APIKEY", "credential_x"],
)
def test_a_name_tells_what_is_secret(name: str) -> None:
    """The words are found in any case and anywhere in the name."""
    assert Redaction.of_variables({name: "x", "LANG": "C", "PATH": "/bin", "KEYBOARD": "us"}).secrets == {"x"}


def test_an_empty_value_is_no_secret() -> None:
    """Nothing would be left of a text in which nothing is replaced."""
    assert Redaction.of_variables({"TOKEN": ""}).secrets == set()


def test_the_longest_secret_is_replaced_first() -> None:
    """A secret that contains another one leaves no rest behind."""
    assert Redaction(frozenset({"hunter2", "hunter22"})).known("hunter2 hunter22 x") == f"{REDACTED} {REDACTED} x"


@pytest.mark.parametrize(
    ("env", "secret"),
    [
        ('{ API_TOKEN = "hunter2-hunter2" }', "hunter2"),
        ("{ API_TOKEN = 1234567890 }", "1234567890"),
        (r"{ API_TOKEN = 'a\hunter2' }", "hunter2"),
        (r'{ API_TOKEN = "a\\hunter2" }', "hunter2"),
        (r'{ API_TOKEN = "a\"hunter2" }', "hunter2"),
        ('{ API_TOKEN = "ähunter2" }', "hunter2"),
        (r'{ API_TOKEN = "\u0068unter2" }', "unter2"),
    ],
    ids=["plain", "number", "literal", "backslash", "quote", "umlaut", "escaped"],
)
def test_a_secret_in_env_never_reaches_the_folder(
    run_recorded: RunRecorded, single_node: str, env: str, secret: str
) -> None:
    """However it is spelt in the file, neither the file's copy nor the plan has it."""
    record = run_recorded(with_env(single_node, env), RecordingBackend())
    assert record.path is not None
    assert secret not in everything_in(Path(record.path))
    assert REDACTED in (Path(record.path) / "benchmark.toml").read_text(encoding="utf-8")


def test_a_secret_of_an_override_never_reaches_the_folder(run_recorded: RunRecorded, single_node: str) -> None:
    """What ``--set`` put into env is as secret as what the file says."""
    record = run_recorded(single_node, RecordingBackend(), overrides=["client.env.API_TOKEN=hunter2-hunter2"])
    assert record.path is not None
    assert "hunter2-hunter2" not in everything_in(Path(record.path))


def test_a_servers_secret_is_redacted_too(run_recorded: RunRecorded, client_server: str) -> None:
    """Also where another step uses the same value in its command."""
    text = client_server.replace("port = 0\n", 'port = 0\nenv = { TOKEN = "hunter2-hunter2" }\n')
    text = text.replace('"$SERVER_URL"', '"$SERVER_URL", "hunter2-hunter2"')
    record = run_recorded(text, RecordingBackend())
    assert record.path is not None
    assert "hunter2-hunter2" not in everything_in(Path(record.path))


@pytest.mark.parametrize("env", ['{ MAX_TOKENS = "1" }', '{ TOKENIZER = "name" }', '{ MAX_TOKENS = "0", TOKEN = "e" }'])
def test_a_plan_stays_readable_whatever_is_redacted(
    new_folder: Callable[[str], RunFolder], single_node: str, env: str
) -> None:
    """A value that is also a number or a word of the plan does not break its JSON."""
    folder = new_folder(with_env(single_node, env))
    plan = Plan.from_json(json.loads((folder.path / "plan.json").read_text(encoding="utf-8")))
    assert [step.name for step in plan.steps] == ["client"]


def test_other_variables_are_kept(run_recorded: RunRecorded, single_node: str) -> None:
    """What is not secret is there to be compared later."""
    backend = RecordingBackend({"client": [Outcome(output="rate=1")]})
    record = run_recorded(with_env(single_node, '{ LANG = "de_DE" }'), backend)
    assert record.path is not None
    assert "de_DE" in (Path(record.path) / "plan.json").read_text(encoding="utf-8")
    assert REDACTED not in everything_in(Path(record.path))

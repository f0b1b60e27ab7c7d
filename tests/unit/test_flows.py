"""The Prefect flows as a server and a worker meet them: entrypoints, parameters, sources."""

# ruff: noqa: E402 - Prefect may lack

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from support.needs import package

package("prefect")

import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from windtunnel.backends import BACKENDS
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.benchmark import load, parse
from windtunnel.content import sample
from windtunnel.engines.prefect import flows, parameters, publisher
from windtunnel.engines.prefect.sources import File, Form, Text, form, resolve, tables, without_secrets
from windtunnel.engines.prefect.step_logs import LINES_PER_LOG, LINES_PER_RUN, StepLogs
from windtunnel.engines.prefect.tags import run_tags
from windtunnel.errors import DescriptorError, UsageError
from windtunnel.run.control import Control
from windtunnel.run.events import Event, EventType
from windtunnel.secrets import Redaction
from windtunnel.strategies import STRATEGIES, make_plan

ROOT = Path(__file__).parents[2]
SINGLE = sample("single-node")
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
ENTRYPOINTS = {
    **{f"flows/{row.module}.py:{row.module}": name for name, row in STRATEGIES.items()},
    **{f"windtunnel.engines.prefect.flows.{row.module}": name for name, row in STRATEGIES.items()},
    "windtunnel.engines.prefect.flows.reap": "reap",
    # Deployments on a server still have these, of the module's former name.
    "windtunnel.deployments.flows.client_server": "client-server",
    "windtunnel.deployments.flows.single_node": "single-node",
    "windtunnel.deployments.flows.reap": "reap",
}


def test_every_strategy_has_a_flow_and_a_deployment() -> None:
    """None is forgotten in `flows/`, in prefect.yaml, or among the flows."""
    names = {item["entrypoint"] for item in DEPLOYMENTS}

    assert set(flows.FLOWS) == set(STRATEGIES)
    assert names == {f"flows/{row.module}.py:{row.module}" for row in STRATEGIES.values()}


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_every_entrypoint_imports_for_real(entrypoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect would make do with a placeholder; a worker could not."""
    monkeypatch.chdir(ROOT)
    assert load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False).name == ENTRYPOINTS[entrypoint]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_form_has_a_typed_field_for_each_parameter(strategy: str) -> None:
    """Sources by their titles, the backends that there are, a lower bound, and a sentence for each."""
    schema = parameter_schema(flows.FLOWS[strategy]).model_dump()
    properties = schema["properties"]
    titles = [
        (schema["definitions"][item["$ref"].rpartition("/")[2]] if "$ref" in item else item)["title"]
        for item in properties["benchmark"]["anyOf"]
    ]

    assert titles == ["Form", "TOML", "File", "Stored", "Secret"]
    assert tuple(properties["backend"]["enum"]) == tuple(BACKENDS) == get_args(flows.BackendName)
    assert properties["repeats"]["anyOf"][0] == {"minimum": 1, "type": "integer"}
    assert all(field.get("description") for field in properties.values())
    assert Form.model_validate(properties["benchmark"]["default"]) == form(sample(strategy))


@pytest.mark.parametrize("file", sorted((ROOT / "flows").glob("*.toml")), ids=lambda path: path.stem)
def test_a_form_says_what_the_file_says(file: Path) -> None:
    """From a file to a form, to text and back: the same benchmark, and the same plan."""
    loaded = load(file)
    again = resolve(form(file.read_text()), [])

    assert again.benchmark == loaded.benchmark
    assert make_plan(again.benchmark) == make_plan(loaded.benchmark)


def test_overrides_apply_to_every_source(tmp_path: Path) -> None:
    """Text, file and form take the same changes."""
    text = sample("single-node")
    (tmp_path / "a.toml").write_text(text)
    for source in (Text(toml=text), File(file=str(tmp_path / "a.toml")), form(text)):
        assert resolve(source, ["run.repeats=9"]).benchmark.run.repeats == 9


def test_a_source_that_is_wrong_is_an_error_with_its_name() -> None:
    """Text and file alike."""
    with pytest.raises(DescriptorError, match=r"benchmark\.toml: not valid TOML"):
        resolve(Text(toml="="), [])
    with pytest.raises(DescriptorError, match="no/such"):
        resolve(File(file="no/such.toml"), [])


def test_what_a_form_leaves_open_stays_open() -> None:
    """Defaults are not written into the run's file, and nulls neither."""
    given: dict[str, Any] = {
        "benchmark": {"name": "x", "strategy": "single-node"},
        "client": {"command": ["true"], "image": None},
    }

    assert tables(Form.model_validate(given)) == {
        "spec_version": "1",
        "benchmark": {"name": "x", "strategy": "single-node"},
        "client": {"command": ["true"]},
    }


MARKED = SINGLE.replace("command", 'env = { API_TOKEN = "swordfish-1" }\ncommand', 1)


@pytest.mark.parametrize(
    "given",
    [
        {"benchmark": {"toml": MARKED}},
        {"benchmark": {"toml": MARKED + "="}},
        {"benchmark": {"client": {"command": ["x", "--password", "swordfish-1"], "image": None}}},
        {"benchmark": {"client": {"command": ["x"], "env": {"PASS": "swordfish-1"}}}},
        {"overrides": ["run.repeats=2", "client.env.API_TOKEN=swordfish-1"]},
        {"benchmark": {"stored": "x"}, "overrides": ["client.env={TOKEN='swordfish-1'}"]},
        {"store": "s3://AKIA:swordfish-1@bucket/x"},
    ],
    ids=["text", "broken", "command", "form", "override", "table", "store"],
)
def test_a_secret_among_parameters_is_found_and_taken_out(given: dict[str, Any]) -> None:
    """Whichever way it is given; all else stays."""
    cleaned = without_secrets(given | {"repeats": 3})

    assert "swordfish" in str(given)
    assert "swordfish" not in str(cleaned)
    assert cleaned["repeats"] == 3


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"benchmark": {"toml": SINGLE}},
        {"benchmark": "secret/mine"},
        {"overrides": ["run.repeats=2"], "store": "s3://b/x"},
    ],
    ids=["none", "text", "secret", "override"],
)
def test_parameters_without_secrets_are_what_they_were(given: dict[str, Any]) -> None:
    """Nothing is refused that has nothing to hide."""
    assert without_secrets(given) == given


class PlayedServer:
    """A server with one flow run of a deployment, of which each has variables for the run's Job."""

    def __init__(self, run: dict[str, Any], deployment: dict[str, Any]) -> None:
        self.run = SimpleNamespace(id=uuid4(), deployment_id=uuid4(), parameters={}, job_variables={"env": run})
        self.deployment = SimpleNamespace(job_variables={"env": deployment, "deadline": 9})

    def read_flow_run(self, _id: UUID) -> SimpleNamespace:
        """Return the flow run."""
        return self.run

    def read_deployment(self, _id: UUID) -> SimpleNamespace:
        """Return its deployment."""
        return self.deployment

    def update_flow_run(self, _id: UUID, **changes: Any) -> None:
        """Change the flow run."""
        vars(self.run).update(changes)


def refused(monkeypatch: pytest.MonkeyPatch, server: PlayedServer) -> str | None:
    """Return why the flow run of a server is refused in a pod, if it is."""
    monkeypatch.setenv(POD, "pod")
    monkeypatch.setattr(parameters, "get_client", lambda **_options: nullcontext(server))
    monkeypatch.setattr(parameters, "flow_run", server.run)
    try:
        parameters.refuse_secrets()
    except UsageError as refusal:
        return refusal.message
    return None


@pytest.mark.parametrize("whose", ["this run", "its deployment"])
def test_a_secret_that_would_be_text_in_a_job_is_refused(monkeypatch: pytest.MonkeyPatch, whose: str) -> None:
    """What belongs into a Secret of the namespace; of the run's own variables it is taken out."""
    env = {"AWS_SECRET_ACCESS_KEY": "swordfish-1", "PROXY": "http://me:swordfish-1@proxy", "LANG": "C"}
    server = PlayedServer(env if whose == "this run" else {}, env if whose == "its deployment" else {})
    message = str(refused(monkeypatch, server))

    assert f"job variables of {whose}: a secret stands there in the clear" in message
    assert "swordfish" not in message + str(server.run)
    assert server.run.job_variables["env"].get("LANG", "C") == "C"


def test_job_variables_without_secrets_are_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is null is left out of the Job by its worker, whatever it is called."""
    server = PlayedServer({"LANG": "C", "API_TOKEN": None}, {"PREFECT_API_URL": "http://prefect-server:4200/api"})

    assert refused(monkeypatch, server) is None
    assert server.run.job_variables == {"env": {"LANG": "C", "API_TOKEN": None}}


def test_a_form_of_the_server_is_the_benchmark(single_node: str) -> None:
    """What is left open there is null, and the version of the format is not asked for."""
    filled = {
        "benchmark": {"name": "alone", "strategy": "single-node"},
        "client": {"command": ["measure"], "image": None},
        "server": None,
        "metrics": [{"name": "rate", "unit": "1/s", "better": "higher", "pattern": r"rate=([\d.]+)"}],
    }
    assert resolve(filled, []).benchmark == parse(single_node, Path("x.toml")).benchmark


@pytest.mark.parametrize("kind", ["toml", "file"])
def test_a_source_of_the_server_is_what_it_was_typed_as(single_node: str, tmp_path: Path, kind: str) -> None:
    """A table with one key says where the benchmark comes from."""
    (tmp_path / "x.toml").write_text(single_node)
    source = {"toml": single_node} if kind == "toml" else {"file": str(tmp_path / "x.toml")}
    assert resolve(source, []).benchmark == parse(single_node, Path("x.toml")).benchmark


def test_a_form_that_is_wrong_is_refused_in_our_words() -> None:
    """A name that does not fit is told with its key; what is secret there is not repeated."""
    form = {
        "benchmark": {"name": "x", "strategy": "single-node"},
        "client": {"command": ["x"], "env": {"TOKEN": ["x1y"]}},
    }
    with pytest.raises(DescriptorError) as refusal:
        resolve(form, [])
    assert "client.env.TOKEN" in refusal.value.message
    assert "x1y" not in refusal.value.message


def test_tags_are_the_benchmark_and_its_labels() -> None:
    """They are what the UI filters by."""
    text = sample("single-node").replace('name = "compress"', 'name = "compress"\nlabels = { team = "a", env = "ci" }')
    plan = make_plan(parse(text, Path("x.toml")).benchmark)

    assert run_tags(plan, Redaction()) == ["benchmark:compress", "env:ci", "team:a"]


def test_a_benchmark_that_is_given_as_a_name_is_not_repeated(single_node: str) -> None:
    """A deployment may leave parameters unchecked: then a text stands where a name was meant."""
    text = f'{single_node}\n[client.env]\nPASSWORD = "hunter2"\n'
    with pytest.raises(UsageError, match="secret/NAME") as refusal:
        resolve(text, [])

    assert "hunter2" not in refusal.value.message
    assert "hunter2" not in without_secrets({"benchmark": text})["benchmark"]
    assert without_secrets({"benchmark": "secret/hunter2"}) == {"benchmark": "secret/hunter2"}


def test_tags_have_no_secret() -> None:
    """By a label's name, or known from elsewhere in the benchmark: a server shows tags to everybody."""
    labels = 'labels = { token = "abc", who = "swordfish-1" }'
    text = sample("single-node").replace('name = "compress"', f'name = "compress"\n{labels}')
    plan = make_plan(parse(text, Path("x.toml")).benchmark)

    hidden = Redaction(frozenset({"swordfish-1"}))
    assert run_tags(plan, hidden) == ["benchmark:compress", "token:[redacted]", "who:[redacted]"]


def test_what_the_server_says_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors of HTTP have the address in them."""

    def refuse(**_options: object) -> None:
        raise RuntimeError("Client error for url 'http://me:hunter2@server/api/flow_runs/'")

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(uuid4()))
    monkeypatch.setattr(publisher, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(publisher, "get_client", refuse)
    plan = make_plan(parse(sample("single-node"), Path("x.toml")).benchmark)
    with publisher.Publisher(plan, Control(60), Redaction()) as told:
        told(Event(EventType.RUN_STARTED, message="x", data={"path": "x"}))

    assert "http://me:[redacted]@server/api/flow_runs/" in caplog.text
    assert "hunter2" not in caplog.text


class TestStepLogs:
    """Steps' output in the flow run's log."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        """A step's log."""
        (tmp_path / "logs").mkdir()
        return tmp_path / "logs" / "client.1.log"

    @pytest.fixture
    def logs(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> StepLogs:
        """A forwarder that follows that log."""
        caplog.set_level(logging.INFO)
        logs = StepLogs(tmp_path, logging.getLogger("test"))
        logs.open("client", 1)
        return logs

    def test_whole_lines_are_forwarded_once(self, logs: StepLogs, log: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Half a line waits for its end; nothing comes twice; control characters do not come at all."""
        log.write_bytes(b"one\n\x1b[31mtw")
        logs.forward()
        with log.open("ab") as file:
            file.write(b"o\n\n")
        logs.forward()
        logs.forward()

        assert caplog.messages == ["client.1 | one", "client.1 | two"]

    def test_a_secret_is_kept_out_while_a_step_still_writes(
        self, tmp_path: Path, log: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The flow run's log never has it; the step's own stays, since its numbers are not read yet."""
        caplog.set_level(logging.INFO)
        logs = StepLogs(tmp_path, logging.getLogger("test"), Redaction(frozenset({"swordfish-1"})))
        logs.open("client", 1)
        with log.open("ab") as file:
            for part in (b"a swordfish-1 b\nsword", b"fish-1\n", b"c\n"):
                file.write(part)
                file.flush()
                logs.forward()
        logs.close("client", 1)

        assert caplog.messages == ["client.1 | a *********** b", "client.1 | ***********", "client.1 | c"]
        assert log.read_text() == "a swordfish-1 b\nswordfish-1\nc\n"

    @pytest.mark.parametrize("before", [65_530, 65_536, 65_540])
    def test_a_secret_is_kept_out_where_it_stands_across_two_pieces(
        self, tmp_path: Path, log: Path, caplog: pytest.LogCaptureFixture, before: int
    ) -> None:
        """A log without lines is read in pieces; none shows a part of it."""
        caplog.set_level(logging.INFO)
        logs = StepLogs(tmp_path, logging.getLogger("test"), Redaction(frozenset({"swordfish-1"})))
        log.write_bytes(b" " * before + b"swordfish-1" + b" " * 70_000)
        logs.open("client", 1)
        logs.close("client", 1)

        assert not set("swordfish-1") & set("".join(caplog.messages).replace("client.1 | ", ""))

    def test_last_words_without_an_end_are_told(
        self, logs: StepLogs, log: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """When a step is over, so is its last line."""
        log.write_bytes(b"one\nFATAL")
        logs.close("client", 1)

        assert caplog.messages == ["client.1 | one", "client.1 | FATAL"]

    @pytest.mark.parametrize("pieces", [(300,), (100, 200), (99, 1, 200)])
    def test_a_long_log_is_cut_with_its_place(
        self, logs: StepLogs, log: Path, caplog: pytest.LogCaptureFixture, pieces: tuple[int, ...]
    ) -> None:
        """As many lines as a person reads, then where the rest is, once, however they come."""
        for piece in pieces:
            with log.open("a") as file:
                file.write("x\n" * piece)
            logs.forward()
        logs.close("client", 1)

        assert caplog.messages[:-1] == ["client.1 | x"] * LINES_PER_LOG
        assert caplog.messages[-1].endswith(f"the rest is in {log}")

    def test_a_log_without_lines_is_cut_too(self, logs: StepLogs, log: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Megabytes without a newline come as the beginning of each piece."""
        log.write_bytes(b"x" * 300_000)
        logs.close("client", 1)

        assert [len(message) for message in caplog.messages] == [len("client.1 | ") + 2_000] * 5

    def test_many_logs_are_cut_in_all(self, logs: StepLogs, log: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A thousand iterations do not flood the server."""
        for iteration in range(1, 101):
            log.with_name(f"client.{iteration}.log").write_text("x\n" * 90)
            logs.open("client", iteration)
            logs.close("client", iteration)

        assert len([message for message in caplog.messages if message.endswith("| x")]) == LINES_PER_RUN

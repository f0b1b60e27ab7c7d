"""What holds for any benchmark: documents are made at random, written as TOML, loaded and planned."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.benchmark import json_schema, parse
from windtunnel.errors import DescriptorError, PlanError
from windtunnel.plan import Plan
from windtunnel.strategies import make_plan
from windtunnel.substitution import address_names

FILE = Path("any.toml")
Document = dict[str, Any]

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0$"), min_size=1, max_size=8)
commands = st.lists(words, min_size=1, max_size=3).filter(lambda command: bool(command[0].strip()))
# A year at most.
durations = st.from_regex(r"[1-9][0-9]{0,3}(ms|s|m)|[1-9][0-9]{0,2}h", fullmatch=True) | st.integers(1, 9999)
quantities = st.from_regex(r"[1-9][0-9]{0,3}(m|k|Mi|Gi)?", fullmatch=True)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda n: n not in {"client", "server"}
)
variables = st.from_regex(r"[A-Z_][A-Z0-9_]{0,6}", fullmatch=True)
ports = st.integers(1, 65_535)
# A word behind a tilde is somebody, whose home has to be there.
stores = words.filter(lambda word: not word.startswith("~"))
digests = st.from_regex("[0-9a-f]{64}", fullmatch=True)

asks_a_port = st.fixed_dictionaries({"http": st.just("/ok")}, optional={"port": ports}) | st.just({"tcp": True})
asks_no_port = st.fixed_dictionaries({"exec": commands}) | st.just({"tcp": True, "port": 123})
reads_the_log = st.sampled_from(["up", r"port (\d+)"]).map(lambda pattern: {"log": pattern})
program: dict[str, st.SearchStrategy[Any]] = {
    "image": words,
    "env": st.dictionaries(variables, words | st.integers(-(2**63), 2**63 - 1), max_size=2),
    "files": st.dictionaries(st.sampled_from(["app.py", "conf/app.conf"]), words, max_size=2),
    "requirements": st.lists(st.sampled_from(["numpy>=2", "a[b]==1 ; python_version < '4'", "c"]), max_size=2),
    "resources": st.fixed_dictionaries({}, optional={"cpu": quantities, "memory": quantities}),
    "isolation": st.sampled_from(["open", "sealed"]),
    "trace": st.booleans(),
}
service = program | {
    "stop": commands,
    "grace": durations,
    "replicas": st.integers(1, 4),
    "placement": st.sampled_from(["apart", "same-pod", "any"]),
}


@st.composite
def probes(draw: st.DrawFn, kinds: st.SearchStrategy[Document], more: dict[str, st.SearchStrategy[Any]]) -> Document:
    """Return a probe of one of these kinds with some of `more`."""
    return {**draw(kinds), **draw(st.fixed_dictionaries({}, optional=more))}


liveness = {"every": durations, "timeout": durations, "failures": st.integers(1, 9)}
with_port = st.fixed_dictionaries(
    {"command": commands, "port": ports | st.just(0)},
    optional=service
    | {
        "ready": probes(asks_a_port | asks_no_port | reads_the_log, {"within": durations}),
        "live": probes(asks_a_port | asks_no_port, liveness),
    },
)
without_port = st.fixed_dictionaries(
    {"command": commands, "ready": probes(asks_no_port | reads_the_log, {"within": durations})},
    optional=service | {"live": probes(asks_no_port, liveness)},
)
metrics = (
    st.fixed_dictionaries(
        {"name": st.from_regex("[a-z][a-z_]{0,9}", fullmatch=True)},
        optional={
            "unit": words.filter(str.isprintable),
            "better": st.sampled_from(["higher", "lower"]),
            "pattern": st.sampled_from(["(x)", r"rate=([\d.]+)"]),
            "reduce": st.sampled_from(["median", "mean", "max", "sum", "last"]),
        },
    )
    | st.just({"parser": "locust", "name": "latency_p99"})
    | st.just({"parser": "redis-benchmark", "name": "requests_per_second"})
)
inputs = st.fixed_dictionaries(
    {"src": st.sampled_from(["http://127.0.0.1/a", "file:///a", "./a", "a"]), "path": names},
    optional={"sha256": digests},
)
sections: dict[str, st.SearchStrategy[Any]] = {
    "run": st.fixed_dictionaries(
        {}, optional={"warmup": st.integers(0, 9), "repeats": st.integers(1, 9), "fresh": st.booleans()}
    ),
    "metrics": st.lists(metrics, max_size=3, unique_by=lambda metric: metric["name"]),
    "inputs": st.lists(inputs, max_size=2, unique_by=lambda item: item["path"]),
    "output": st.fixed_dictionaries({}, optional={"store": stores, "artifacts": st.just(["*.csv"])}),
}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Return any valid benchmark; servers and the client mention the servers before them."""
    servers: dict[str, Document] = draw(st.dictionaries(names, with_port | without_port, max_size=3))
    if draw(st.booleans()):
        servers["server"] = draw(with_port)
    client: Document = draw(st.fixed_dictionaries({"command": commands}, optional=program))
    before: list[str] = []
    for name, table in [*servers.items(), ("client", client)]:
        mentioned = draw(st.lists(st.sampled_from(before), max_size=2)) if before else []
        table["command"] = [*table["command"], *(f"${address_names(other)['host']}" for other in mentioned)]
        before.append(name)
    info = {"name": draw(names), "strategy": "client-server" if servers else "single-node"}
    more = {"timeout": durations, "labels": st.dictionaries(st.sampled_from(["team", "cost.center"]), names)}
    document = {
        "spec_version": "1",
        "benchmark": {**info, **draw(st.fixed_dictionaries({}, optional=more))},
        "client": client,
        **draw(st.fixed_dictionaries({}, optional=sections)),
    }
    if "server" in servers and draw(st.booleans()):
        document["server"] = servers.pop("server")
    return document | ({"servers": servers} if servers else {})


def toml(value: Any) -> str:
    """Return a value as TOML, its tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()


def write(document: Document) -> str:
    """Return a document as the text of a file."""
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())


def tables(value: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    """Yield the path of every table whose keys are fixed."""
    if isinstance(value, dict):
        if path != "servers":
            yield path, value
        for key, item in value.items():
            if key not in {"env", "files", "labels"}:
                yield from tables(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from tables(item, f"{path}[{index}]")


def known_keys() -> set[str]:
    """Return every key that the format has anywhere, now or later."""
    schema = json_schema()
    keys = {key for table in [schema, *schema["$defs"].values()] for key in table.get("properties", {})}
    return keys | {"task", "until"}


@given(documents())
def test_any_valid_benchmark_has_a_plan_that_survives_json(document: Document) -> None:
    """The plan read back from JSON text is equal to the one that was written."""
    plan = make_plan(parse(write(document), FILE).benchmark)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@given(documents())
def test_any_plan_puts_each_step_after_its_needs(document: Document) -> None:
    """The order has every step once, and nothing before what it needs."""
    plan = make_plan(parse(write(document), FILE).benchmark)
    order = [step.name for step in plan.order()]
    assert sorted(order) == sorted(step.name for step in plan.steps)
    for step in plan.steps:
        assert all(order.index(need) < order.index(step.name) for need in step.needs)
    assert order[-1] == "client"


@pytest.mark.long
@given(documents(), st.data())
def test_any_unknown_key_is_refused_by_its_path(document: Document, data: st.DataObject) -> None:
    """Wherever a key is that the format does not have, the refusal says where."""
    known = known_keys()
    keys = st.from_regex("[a-z][a-z0-9_-]{0,12}", fullmatch=True).filter(lambda key: key not in known)
    document = copy.deepcopy(document)
    path, table = data.draw(st.sampled_from(list(tables(document))))
    key = data.draw(keys)
    table[key] = data.draw(st.sampled_from([1, "x", [], {}]))
    with pytest.raises(DescriptorError) as refusal:
        parse(write(document), FILE)
    assert f"{path}.{key}: unknown key".lstrip(".") in refusal.value.message


@given(documents(), st.data())
def test_any_value_of_any_kind_loads_or_is_refused(document: Document, data: st.DataObject) -> None:
    """Whatever stands in place of a value, nothing but a refusal comes of it."""
    document = copy.deepcopy(document)
    _path, table = data.draw(st.sampled_from(list(tables(document))))
    key = data.draw(st.sampled_from(sorted(table) or ["run"]))
    scalars = st.integers() | st.floats() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]))
    table[key] = data.draw(scalars | st.lists(scalars, max_size=3) | st.dictionaries(names, scalars, max_size=3))
    with contextlib.suppress(DescriptorError, PlanError):
        assert make_plan(parse(write(document), FILE).benchmark).jobs


@given(st.text() | st.text(alphabet='abc[]{}=".,#\n 1-_'))
def test_any_text_loads_or_is_refused(text: str) -> None:
    """Whatever a file says, nothing but a refusal comes of it."""
    with contextlib.suppress(DescriptorError, PlanError):
        assert make_plan(parse(text, FILE).benchmark).jobs


@given(documents(), st.integers(min_value=0), st.integers(0, 9), st.text(max_size=3))
def test_any_damage_to_a_file_loads_or_is_refused(document: Document, place: int, length: int, put: str) -> None:
    """A file in which some letters were replaced by others is no worse than any other text."""
    text = write(document)
    place %= len(text)
    with contextlib.suppress(DescriptorError, PlanError):
        assert make_plan(parse(text[:place] + put + text[place + length :], FILE).benchmark).jobs

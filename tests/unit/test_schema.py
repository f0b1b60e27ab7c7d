"""The JSON Schema of benchmark files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windtunnel.benchmark import json_schema
from windtunnel.parsers import PARSERS

SAMPLES = sorted((Path(__file__).parents[2] / "flows").glob("*.toml"))
Schema = dict[str, Any]


def definition(name: str) -> Schema:
    """Return the schema of one table."""
    return dict(json_schema()["$defs"][name])


def resolve(schema: Schema) -> list[Schema]:
    """Return what a schema allows, references and alternatives followed."""
    if "$ref" in schema:
        return resolve(definition(schema["$ref"].removeprefix("#/$defs/")))
    if "anyOf" in schema:
        return [found for part in schema["anyOf"] for found in resolve(part)]
    return [schema]


def complaints(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the path of everything in `value` that no alternative of `schema` allows."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    for choice in resolve(schema):
        names = choice.get("type", [])
        expected: Any = tuple(kinds[name] for name in ([names] if isinstance(names, str) else names) if name in kinds)
        if "const" in choice and value != choice["const"]:
            continue
        if expected and not isinstance(value, expected):
            continue
        if isinstance(value, dict):
            yield from _table_complaints(value, choice, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from complaints(item, choice["items"], f"{path}[{index}]")
        elif value not in choice.get("enum", [value]) or not re.search(choice.get("pattern", ""), str(value)):
            yield path
        return
    yield path


def _table_complaints(table: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{path}.{key}" for key in schema.get("required", []) if key not in table)
    for key, value in table.items():
        if key in properties:
            yield from complaints(value, properties[key], f"{path}.{key}")
        elif isinstance(others, dict):
            yield from complaints(value, others, f"{path}.{key}")
        elif others is False and not any(re.search(p, key) for p in schema.get("patternProperties", {})):
            yield f"{path}.{key}"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_the_samples_follow_the_schema(sample: Path) -> None:
    """Every key is known, every required one is there, and every value is of an allowed kind."""
    document = tomllib.loads(sample.read_text(encoding="utf-8"))
    assert list(complaints(document, json_schema())) == []


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("clients", {}, ".clients"),
        ("spec_version", "2", ".spec_version"),
        ("benchmark", {"name": "x"}, ".benchmark.strategy"),
        ("run", {"repeats": "3"}, ".run.repeats"),
        ("run", {"repeat": 3}, ".run.repeat"),
        ("metrics", [{"parser": "jmeter"}], ".metrics[0].parser"),
        ("server", {"command": ["x"], "grace": "soon"}, ".server.grace"),
    ],
)
def test_an_editor_can_find_a_mistake(key: str, value: object, path: str) -> None:
    """A wrong key or value in a sample is one that the schema does not allow."""
    document = tomllib.loads(SAMPLES[0].read_text(encoding="utf-8"))
    assert path in list(complaints(document | {key: value}, json_schema()))


def test_the_schema_is_json_schema() -> None:
    """It says its dialect, and survives JSON."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_every_table_refuses_unknown_keys() -> None:
    """Editors mark what the format does not have, in whatever table."""
    schema = json_schema()
    tables = [schema, *schema["$defs"].values()]
    assert [table["title"] for table in tables if table["additionalProperties"] is not False] == []


def test_parsers_are_offered() -> None:
    """Editors complete the names of parsers."""
    offers = resolve(definition("Metric")["properties"]["parser"])
    assert [offer["enum"] for offer in offers if "enum" in offer] == [sorted(PARSERS)]


@pytest.mark.parametrize(("key", "good", "bad"), [("grace", "1m30s", "90 s"), ("port", 6379, "6379")])
def test_scalars_are_described(key: str, good: object, bad: object) -> None:
    """Durations have a pattern, ports are numbers."""
    schema = definition("Server")["properties"][key]
    assert list(complaints(good, schema)) == []
    assert list(complaints(bad, schema)) == [""]


@pytest.mark.parametrize("value", ["30s", 30, 0.5])
def test_what_is_accepted_as_a_duration_is_in_the_schema(value: object) -> None:
    """A duration in plain seconds loads, so an editor must not mark it."""
    assert list(complaints(value, definition("Server")["properties"]["grace"])) == []

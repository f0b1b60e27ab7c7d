"""Where a flow run's benchmark comes from: a form, a text, a file, or a stored one.

These are the parameters that Prefect's UI draws a form for, and that its server refuses
bad input by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from prefect.blocks.core import Block
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from windtunnel.benchmark import Loaded, load, parse
from windtunnel.benchmark.model import Benchmark
from windtunnel.errors import DescriptorError, UsageError


class Form(Benchmark):
    """The benchmark's tables, one field each."""

    model_config = ConfigDict(title="Form")

    spec_version: Literal["1"] = "1"


class _Choice(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Choice):
    """The benchmark as TOML."""

    model_config = ConfigDict(title="TOML")

    toml: Annotated[str, Field(min_length=1, description="What a benchmark file holds.")]


class File(_Choice):
    """A benchmark file."""

    model_config = ConfigDict(title="File")

    file: Annotated[str, Field(min_length=1, description="Its path, as the worker sees it.")]


class Stored(_Choice):
    """A benchmark that `windtunnel deploy` has stored on this server."""

    model_config = ConfigDict(title="Stored")

    stored: Annotated[str, Field(min_length=1, description="Its name, as the page Blocks lists it.")]


Source = Form | Text | File | Stored


class StoredBenchmark(Block):
    """A benchmark kept on a Prefect server, under its own name."""

    _block_type_name = "Windtunnel Benchmark"
    _block_type_slug = "windtunnel-benchmark"
    _description = "A benchmark for Windtunnel, as its TOML file says it."

    # It may hold what nobody else should read, in an env table.
    toml: SecretStr = Field(description="What the benchmark file holds.")
    folder: str = Field(default=".", description="Where its relative input files lie, as the worker sees it.")


def resolve(source: Source, overrides: list[str]) -> Loaded:
    """Return the checked benchmark of a source, with ``KEY=VALUE`` overrides applied.

    Raises:
        DescriptorError: The benchmark is wrong.
        UsageError: No benchmark is stored under the name.
    """
    if isinstance(source, Text):
        return parse(source.toml, Path("benchmark.toml"), overrides)
    if isinstance(source, File):
        return load(Path(source.file), overrides)
    if isinstance(source, Stored):
        stored = _read(source.stored)
        return parse(stored.toml.get_secret_value(), Path(stored.folder) / f"{source.stored}.toml", overrides)
    return parse(as_toml(source), Path("benchmark.toml"), overrides)


def as_toml(benchmark: Benchmark) -> str:
    """Return a typed benchmark as the text of its file."""
    return tomli_w.dumps(tables(benchmark))


def tables(benchmark: Benchmark) -> dict[str, Any]:
    """Return a typed benchmark as the tables of its file: what was left open stays open."""
    given = benchmark.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {"spec_version": benchmark.spec_version} | given


def form(toml: str) -> Form:
    """Return a benchmark's text as the form that edits it (DescriptorError if it is wrong)."""
    return Form.model_validate(tables(parse(toml, Path("benchmark.toml")).benchmark))


def check_strategy(loaded: Loaded, strategy: str) -> None:
    """Check that a benchmark is of the strategy that was asked to run it (DescriptorError otherwise)."""
    actual = loaded.benchmark.benchmark.strategy
    if actual != strategy:
        raise DescriptorError(f"{loaded.path}: its strategy is {actual}; this is the flow {strategy}")


def _read(name: str) -> StoredBenchmark:
    try:
        block = StoredBenchmark.load(name)
    except ValueError:
        raise UsageError(f"no benchmark is stored as {name!r}; `windtunnel deploy FILE` stores one") from None
    if not isinstance(block, StoredBenchmark):
        raise TypeError(f"{block!r} was to be loaded in this thread")
    return block

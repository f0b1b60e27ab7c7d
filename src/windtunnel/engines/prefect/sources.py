"""Where a flow run's benchmark comes from: a form, a text, a file, or a stored one.

These are the parameters that Prefect's UI draws a form for, and that its server refuses
bad input by.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from windtunnel.backends.kubernetes.settings import POD
from windtunnel.benchmark import Loaded, load, parse
from windtunnel.benchmark.model import Benchmark
from windtunnel.errors import DescriptorError, UsageError
from windtunnel.secrets import Redaction

B = TypeVar("B", bound=Block)


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


_SECRET = "secret/"  # noqa: S105 - how a parameter begins that names one
SecretName = Annotated[
    str,
    Field(
        title="Secret",
        pattern=rf"^{_SECRET}[a-z0-9][a-z0-9-]*$",
        description="secret/NAME: a Secret block of this server whose value is what a benchmark file holds.",
    ),
]
"""How a benchmark with secrets is given: nobody who looks at the run sees them."""
Source = Form | Text | File | Stored | SecretName


class StoredBenchmark(Block):
    """A benchmark kept on a Prefect server, under its own name."""

    _block_type_name = "Windtunnel Benchmark"
    _block_type_slug = "windtunnel-benchmark"
    _description = "A benchmark for Windtunnel, as its TOML file says it."

    # It may hold what nobody else should read, in an env table.
    toml: SecretStr = Field(description="What the benchmark file holds.")
    folder: str = Field(default=".", description="Where its relative input files lie, as the worker sees it.")


def resolve(source: Source | Mapping[str, Any], overrides: list[str]) -> Loaded:
    """Return the checked benchmark of a source, with ``KEY=VALUE`` overrides applied.

    Args:
        source: As it was typed, or as the server keeps what was filled into a form.
        overrides: As ``--set`` takes them.

    Raises:
        DescriptorError: The benchmark is wrong.
        UsageError: No benchmark is stored under the name, or a flow's pod cannot have the file.
    """
    if isinstance(source, Mapping):
        kinds: dict[str, type[Text | File | Stored]] = {"toml": Text, "file": File, "stored": Stored}
        kind = kinds.get(next(iter(source), "")) if len(source) == 1 else None
        if not kind:
            return parse(tomli_w.dumps({"spec_version": "1"} | _filled(source)), Path("benchmark.toml"), overrides)
        source = kind.model_validate(source)
    if isinstance(source, str):
        if not source.startswith(_SECRET):
            # What stands there instead may be the benchmark itself: it is not repeated.
            raise UsageError(f"benchmark: write {_SECRET}NAME, fill in the form, or give toml, file or stored")
        return parse(_secret(source.removeprefix(_SECRET)), Path("benchmark.toml"), overrides)
    if isinstance(source, Text):
        return parse(source.toml, Path("benchmark.toml"), overrides)
    if isinstance(source, File):
        if POD in os.environ and not Path(source.file).is_absolute():
            raise UsageError(f"file {source.file}: the flow's pod starts in an empty folder; give toml or stored")
        return load(Path(source.file), overrides)
    if isinstance(source, Stored):
        stored = _read(source.stored)
        return parse(stored.toml.get_secret_value(), Path(stored.folder) / f"{source.stored}.toml", overrides)
    return parse(as_toml(source), Path("benchmark.toml"), overrides)


def without_secrets(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flow run's parameters, of which everybody who sees the server sees all, without secrets."""
    hidden = Redaction()
    source, overrides = parameters.get("benchmark"), parameters.get("overrides") or ()
    cleaned = dict(parameters)
    if overrides:
        cleaned["overrides"] = [hidden.override(override) for override in overrides]
    if isinstance(store := parameters.get("store"), str):
        cleaned["store"] = hidden.text(store)
    if isinstance(source, str):
        cleaned["benchmark"] = hidden.line(source)
    if isinstance(source, Mapping):
        cleaned["benchmark"] = hidden.document(source)
        if isinstance(text := source.get("toml"), str):
            try:
                cleaned["benchmark"] = {"toml": hidden.toml(text)}
            except ValueError:
                cleaned["benchmark"] = {"toml": hidden.line(text)}
    return cleaned


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


def _filled(form: Any) -> Any:
    """Return what was filled into a form: what was left open is null there."""
    if isinstance(form, Mapping):
        return {key: _filled(item) for key, item in form.items() if item is not None}
    return [_filled(item) for item in form] if isinstance(form, list) else form


def _secret(name: str) -> str:
    block = _load(Secret, name, f"no Secret block is called {name!r}; make one in the UI, under Blocks")
    if not isinstance(value := block.get(), str):
        raise UsageError(f"the Secret block {name!r} holds no text; its value has to be what a benchmark file holds")
    return value


def _read(name: str) -> StoredBenchmark:
    return _load(StoredBenchmark, name, f"no benchmark is stored as {name!r}; `windtunnel deploy FILE` stores one")


def _load(kind: type[B], name: str, missing: str) -> B:
    """Return the block of a kind that is called so (UsageError with the words `missing` if there is none)."""
    try:
        block = kind.load(name)
    except ValueError:
        raise UsageError(missing) from None
    if not isinstance(block, kind):
        raise TypeError(f"{block!r} was to be loaded in this thread")
    return block

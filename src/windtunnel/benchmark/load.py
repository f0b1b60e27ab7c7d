"""From a TOML file and overrides to a checked `Benchmark`, with errors a person can act on."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from windtunnel.benchmark.legacy import translate
from windtunnel.benchmark.matrix import combinations
from windtunnel.benchmark.mistakes import explain
from windtunnel.benchmark.model import CLIENT, Benchmark
from windtunnel.benchmark.overrides import apply_override, set_key
from windtunnel.benchmark.unsupported import find_unsupported
from windtunnel.errors import DescriptorError
from windtunnel.secrets import REDACTED, Redaction, key_path


@dataclass(frozen=True)
class Loaded:
    """A checked benchmark with what it was made from.

    Attributes:
        benchmark: The typed benchmark, overrides applied.
        text: The file as it was given.
        path: Where it was read.
        overrides: The ``--set`` arguments, as given, then what the matrix sets.
        notes: What was translated from an older format.
        combination: The value of each of the matrix's keys; empty without a matrix.
        redaction: What of it is secret, in all combinations; what is shown or written of it goes through this.
    """

    benchmark: Benchmark
    text: str
    path: Path
    overrides: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    combination: Mapping[str, Any] = field(default_factory=dict)
    redaction: Redaction = field(default_factory=Redaction)


@dataclass(frozen=True)
class _Given:
    text: str
    path: Path
    overrides: Sequence[str]
    redaction: Redaction


def load(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read, translate, override and check a benchmark file without a matrix.

    Args:
        path: A TOML file in UTF-8.
        overrides: ``key.path=value`` each; the value is TOML, or else plain text.

    Raises:
        DescriptorError: With the file, the key's path, the allowed values and the
            nearest known name, for every mistake found.
    """
    return require_single(load_all(path, overrides))


def load_all(path: Path, overrides: Sequence[str] = ()) -> list[Loaded]:
    """Do what `load` does, and return a benchmark for each combination of a matrix (DescriptorError if it is wrong)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DescriptorError(f"{path}: not UTF-8 ({error.reason})") from None
    except OSError as error:
        raise DescriptorError(f"{path}: {error.strerror or error}") from None
    return parse_all(text, path, overrides)


def parse(text: str, path: Path, overrides: Sequence[str] = (), *, is_whole: bool = True) -> Loaded:
    """Do what `load` does with a text that was read already.

    Args:
        text: The benchmark.
        path: Where it was read, for messages.
        overrides: As of `load`.
        is_whole: Whether its matrix counts, if it has one; the overrides of one of its runs stand for it otherwise.
    """
    return require_single(parse_all(text, path, overrides, is_whole=is_whole))


def parse_all(text: str, path: Path, overrides: Sequence[str] = (), *, is_whole: bool = True) -> list[Loaded]:
    """Do what `load_all` does with a text that was read already (see `parse`)."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Beside its own error, tomllib lets those of huge numbers and deep nesting through.
        raise DescriptorError(f"{path}: not valid TOML: {error}") from None
    if not is_whole:
        document.pop("matrix", None)
    _check_integers(document, path)
    redaction = Redaction.of([document])
    for override in overrides:
        apply_override(document, override)
    _check_integers(document, path)
    _check_whole(document, path)
    # What an override replaces is still in the text.
    redaction |= Redaction.of([document])
    given = _Given(text, path, overrides, redaction)
    try:
        return _check_all(document, given)
    except DescriptorError as error:
        # A password may be any word, and a mistake is to be found by the names of its place.
        names = frozenset({str(path), *_keys(document)})
        raise (redaction | Redaction(names=names)).error(error) from None


def _check_integers(document: dict[str, Any], path: Path) -> None:
    """Refuse integers that TOML does not promise to keep, and that Python does not write (DescriptorError)."""
    for key, value in _values(document):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise DescriptorError(f"{path}: {key}: an integer has 64 bits at most")


def _check_whole(document: dict[str, Any], path: Path) -> None:
    """Refuse a benchmark as it is kept and shown, its secrets taken out: another one would be measured."""
    for key, value in _values(document):
        if isinstance(value, str) and REDACTED in value:
            raise DescriptorError(f"{path}: {key}: a secret was taken out here ({REDACTED}); set it again")


def _values(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value of a document that is no table and no list, with its key."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _values(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _values(item, f"{key}[{number}]")
    else:
        yield key, value


def _keys(document: object) -> Iterator[str]:
    """Yield the keys of all tables of a document."""
    if isinstance(document, dict):
        yield from document
    if isinstance(document, (dict, list)):
        for item in document.values() if isinstance(document, dict) else document:
            yield from _keys(item)


def _check_all(document: dict[str, Any], given: _Given) -> list[Loaded]:
    matrix = document.pop("matrix", None)
    if matrix is None:
        return [_check(document, given)]
    try:
        combined = combinations(matrix, given.overrides)
    except ValueError as error:
        raise DescriptorError(f"{given.path}: {error}") from None
    return [_check_combination(document, values, given) for values in combined]


def require_single(benchmarks: list[Loaded]) -> Loaded:
    """Return the benchmark of a file without a matrix (DescriptorError if it has one)."""
    if len(benchmarks) > 1 or benchmarks[0].combination:
        words = "matrix: only `windtunnel run` and `windtunnel submit` can run a sweep"
        raise DescriptorError(f"{benchmarks[0].path}: {words}")
    return benchmarks[0]


def _check_combination(document: dict[str, Any], values: Mapping[str, Any], given: _Given) -> Loaded:
    varied = copy.deepcopy(document)
    changes = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    shown = [f"{key}={json.dumps(value)}" for key, value in given.redaction.values(values).items()]
    for key, value in values.items():
        try:
            set_key(varied, list(key_path(key)), value)
        except KeyError as error:
            raise DescriptorError(f"{given.path}: matrix.{key}: {error.args[0]} is not a table") from None
    try:
        loaded = _check(varied, given)
    except DescriptorError as error:
        raise DescriptorError(f"{error.message}\n  (matrix: {', '.join(shown)})") from None
    return replace(loaded, overrides=(*loaded.overrides, *changes), combination=values)


def _check(document: dict[str, Any], given: _Given) -> Loaded:
    path = given.path
    try:
        document, notes = translate(document)
    except ValueError as error:
        raise DescriptorError(f"{path}: {error}") from None
    if unsupported := [f"{key}: {complaint}" for key, complaint in find_unsupported(document)]:
        raise DescriptorError(_join(path, unsupported))
    try:
        benchmark = Benchmark.model_validate(document)
    except ValidationError as error:
        problems = [explain(problem, given.redaction) for problem in error.errors(include_url=False)]
        raise DescriptorError(_join(path, problems)) from None
    names = {benchmark.benchmark.name, benchmark.benchmark.strategy, *benchmark.all_servers(), CLIENT}
    redaction = given.redaction | Redaction(names=frozenset(names))
    return Loaded(benchmark, given.text, path, tuple(given.overrides), tuple(notes), redaction=redaction)


def _join(path: Path, problems: list[str]) -> str:
    if len(problems) == 1:
        return f"{path}: {problems[0]}"
    return "\n  ".join([f"{path}: {len(problems)} mistakes", *problems])

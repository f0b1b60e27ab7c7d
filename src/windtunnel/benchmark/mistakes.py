"""Mistakes in a benchmark, in words that a person can act on."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from windtunnel.benchmark.model import Benchmark
from windtunnel.secrets import Redaction, is_secret_place
from windtunnel.suggest import suggest


def explain(problem: Mapping[str, Any], redaction: Redaction) -> str:
    """Return a sentence about a mistake that pydantic found: the key's path, what is wrong, what is allowed.

    Args:
        problem: One of `ValidationError.errors`.
        redaction: What is kept out of the sentence.
    """
    location: tuple[str | int, ...] = problem["loc"]
    path = tuple(part for part in location if isinstance(part, str))
    given = redaction.document(problem["input"], path)
    key = _key_path(location)
    kind = problem["type"]
    if kind == "extra_forbidden":
        model = _type_at(location[:-1])
        known = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
        name = str(location[-1])
        return f"{key}: unknown key{suggest(name, known)} (allowed here: {', '.join(known)})"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        allowed = [str(choice) for choice in _choices(_type_at(location))]
        return f"{key}: {given!r} is not allowed{suggest(str(given), allowed)} (allowed: {', '.join(allowed)})"
    if kind == "value_error":
        message = str(problem["ctx"]["error"])
        return f"{key}: {message}" if key else message
    message = str(problem["msg"])
    shown = "what is there" if is_secret_place(path) else repr(given)
    return f"{key}: {message[:1].lower()}{message[1:]}, not {shown}"


def _key_path(location: Sequence[str | int]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    return path


def _type_at(location: Sequence[str | int]) -> Any:
    """Return the type that the models declare at a place in the document."""
    current: Any = Benchmark
    for part in location:
        current = _strip(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) in {dict, list}:
            current = get_args(current)[-1]
    return _strip(current)


def _strip(annotation: Any) -> Any:
    """Return a type without its optional and annotated wrappers."""
    while get_origin(annotation) in {Annotated, Union, types.UnionType}:
        annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()

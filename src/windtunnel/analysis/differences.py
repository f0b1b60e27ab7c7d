"""In what two runs differ beside what they measured: only runs of like benchmarks on like machines can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.analysis.page import read_json
from windtunnel.errors import UsageError
from windtunnel.run.folder import RunFolder

Facts = Mapping[str, Any]
_MACHINE = {"cpu_model": "cpu_model", "architecture": "architecture", "cpus_usable": "cpus", "memory": "memory"}
"""Facts of the machine that a run's processes or containers are on, and what they are called here."""
_NODE = {"cpu": "cpu_model", "architecture": "architecture", "cpus": "cpus", "memory": "memory"}
"""The same of a cluster's node."""
_SOFT = {"cpu_governor", "python", "windtunnel"}
"""Facts of a machine that may bend a comparison, and do not forbid it. Its clock rate, load and name are none."""
_NO_MATTER = {"plan_version", "timeout", "labels", "target", "needs", "within", "wait", "grace", "artifacts"}
"""Keys of a plan that change nothing of what is measured."""
_KERNEL = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Difference:
    """A fact that two runs do not share.

    Attributes:
        key: What it is called, such as ``cpu_model`` or ``server.command``; by this it is allowed.
        values: That of each run, as text; None where it is not known.
        is_hard: Whether runs that differ in it are not to be compared unless somebody allows it.
    """

    key: str
    values: tuple[str | None, str | None]
    is_hard: bool

    def is_below(self, key: str) -> bool:
        """Tell whether it is the difference of a key, or of one below it."""
        return self.key == key or self.key.startswith(f"{key}.")

    def __str__(self) -> str:
        before, after = ("not known" if value is None else value for value in self.values)
        return f"{self.key}: {before} / {after}"


def find_differences(one: RunFolder, other: RunFolder) -> list[Difference]:
    """Return in what two runs differ, hard differences first; what is known of one alone is no hard one."""
    found = []
    for is_hard, facts in ((True, _hard), (False, _soft)):
        first, second = facts(one), facts(other)
        for key in dict.fromkeys([*first, *second]):
            values = _text(first.get(key)), _text(second.get(key))
            if values[0] != values[1]:
                found.append(Difference(key, values, is_hard and None not in values))
    return sorted(found, key=lambda each: not each.is_hard)


def refuse_hard(differences: Iterable[Difference], allowed: Collection[str], message: str) -> None:
    """Refuse hard differences that are not allowed.

    Args:
        differences: What was found.
        allowed: The keys that are allowed, with all below them.
        message: What is wrong, and what to allow.

    Raises:
        UsageError: There are some; it lists them after the message.
    """
    if hard := [each for each in differences if each.is_hard and not any(map(each.is_below, allowed))]:
        told = "\n  ".join(map(str, hard))
        raise UsageError(f"{message}, with --allow-difference KEY:\n  {told}")


def _text(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _hard(run: RunFolder) -> dict[str, Any]:
    """Return what has to be the same: the benchmark, where it ran, and what it ran there."""
    environment, record = read_json(run, "environment.json"), run.read_record()
    facts: dict[str, Any] = {"backend": record.backend}
    facts |= dict(_of_machines(environment))
    facts |= {f"{step}.image": _image(image) for step, image in _tables(environment, "images")}
    for gang, told in _tables(environment, "gangs"):
        facts[f"{gang}.launcher_version"] = told.get("version")
    return facts | dict(_of_plan(read_json(run, "plan.json")))


def _of_machines(environment: Facts) -> Iterator[tuple[str, Any]]:
    """Yield the facts of the machines that steps were on: a cluster's nodes, or the one of the daemon or the driver."""
    nodes = dict(_tables(environment, "nodes"))
    if not nodes:
        yield from ((name, environment.get(key)) for key, name in _MACHINE.items())
        yield "kernel", _version(_kernel(environment))
        return
    for step, told in _tables(environment, "steps"):
        of_step = [nodes[name] for name in told.get("nodes", ()) if name in nodes]
        for key, name in _NODE.items():
            yield f"{step}.node.{name}", _alike([_text(node.get(key)) for node in of_step])
        yield f"{step}.node.kernel", _alike([_version(str(node.get("kernel"))) for node in of_step])


def _alike(values: Sequence[str | None]) -> str | None:
    """Return the values that several nodes have; None where one of them is not known."""
    known = {value for value in values if value is not None}
    return ", ".join(sorted(known)) if known and None not in values else None


def _version(kernel: str) -> str | None:
    """Return the first two numbers of a kernel's name."""
    found = _KERNEL.search(kernel)
    return found[0] if found else None


def _kernel(environment: Facts) -> str:
    docker = environment.get("docker")
    return str((docker.get("kernel") if isinstance(docker, dict) else None) or environment.get("kernel") or "")


def _image(image: Facts) -> str | None:
    """Return what tells an image from others of its name."""
    return image.get("digest") or image.get("id")


def _tables(facts: Facts, key: str) -> Iterator[tuple[str, Facts]]:
    """Yield the tables below a key, by name."""
    found = facts.get(key)
    if isinstance(found, dict):
        yield from ((name, told) for name, told in found.items() if isinstance(told, dict))


def _of_plan(plan: Facts) -> Iterator[tuple[str, Any]]:
    """Yield the values of a plan that are about what is measured, by step and key."""
    yield "strategy", plan.get("strategy")
    for item in plan.get("inputs", ()):
        yield f"inputs.{item['path']}", item.get("sha256") or item.get("src")
    for step in plan.get("steps", ()):
        yield from _leaves({key: value for key, value in step.items() if key != "name"}, step["name"])


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each value below a path that is no table; a program's keys are its step's."""
    if not isinstance(value, dict):
        # An image is told by its digest.
        if not path.endswith(".image"):
            yield path, value
        return
    for key, item in value.items():
        if key not in _NO_MATTER:
            yield from _leaves(item, path if key == "program" else f"{path}.{key}")


def _soft(run: RunFolder) -> dict[str, Any]:
    """Return what had better be the same."""
    environment = read_json(run, "environment.json")
    facts = {key: environment.get(key) for key in sorted(_SOFT)}
    kernels = {str(node.get("kernel")) for _name, node in _tables(environment, "nodes")}
    return facts | {"kernel_patch": ", ".join(sorted(kernels)) or _kernel(environment)}

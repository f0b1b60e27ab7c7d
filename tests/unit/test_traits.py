"""What the table of backends says of each, and what is refused or noted because of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from windtunnel import backends
from windtunnel.backends import BACKENDS, make_backend
from windtunnel.backends.recording import RecordingBackend
from windtunnel.backends.support import check_support, other_backends
from windtunnel.backends.traits import Traits
from windtunnel.errors import Unsupported
from windtunnel.plan import InputFile, Job, Plan, Probe, Program, Readiness, Service, Target

LACKS: dict[str, Any] = dict.fromkeys(("images", "limits", "seals", "traces", "replicas", "absolute_paths"), False)
NOTHING = Traits(where="m:n", steps="units", machine="one", **LACKS)
ALL = Traits(where="m:n", steps="units", targets="m:n")


def plan(service: dict[str, Any] | None = None, inputs: tuple[InputFile, ...] = (), **program: Any) -> Plan:
    """Return a plan of one job, whose program has some fields, or of one service with some fields."""
    runs = Program(command=("x",), **program)
    ready = Readiness(probe=Probe(kind="tcp"), within=1)
    step = Job(name="step", program=runs)
    steps = (step,) if service is None else (Service(name="step", program=runs, ready=ready, port=0, **service),)
    return Plan(benchmark="b", strategy="s", timeout=1, steps=steps, inputs=inputs)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_is_the_one_of_its_row(name: str) -> None:
    """Its name and its traits are those that the table has."""
    backend = make_backend(name)
    assert backend.name == name
    assert backend.traits is BACKENDS[name]


@pytest.mark.parametrize(
    ("made", "lacks", "words"),
    [
        (plan(trace=True), "traces", "step: trace = true: the odd backend cannot record system calls; "),
        (plan(isolation="sealed"), "seals", 'isolation = "sealed" cannot be kept for units, which see all of one; '),
        (plan(files={"/a": "x"}), "absolute_paths", "step: the absolute path '/a' in files is for containers; "),
        (plan(inputs=(InputFile(src="i", path="/a"),)), "absolute_paths", "input i: the absolute path '/a' is for "),
        (plan({"replicas": 3}), "replicas", "step: 3 replicas behind one address need containers; "),
        (
            replace(plan(), target=Target(name="box", within=1)),
            "targets",
            "target box: on the odd backend runs cannot ",
        ),
    ],
    ids=["trace", "sealed", "files", "inputs", "replicas", "target"],
)
def test_what_a_platform_cannot_do_is_refused_with_those_that_can(
    monkeypatch: pytest.MonkeyPatch, made: Plan, lacks: str, words: str
) -> None:
    """They are the rows of the table that have the trait, whichever those are; a dry run is none of them."""
    with_it: dict[str, Any] = {lacks: True}
    rows = {"odd": NOTHING, "dry": replace(ALL, measures=False), "new": replace(NOTHING, **with_it)}
    monkeypatch.setattr(backends, "BACKENDS", rows)
    with pytest.raises(Unsupported, match=r"use --backend new$") as refused:
        check_support(made, RecordingBackend(name="odd", traits=NOTHING))

    assert words in refused.value.message
    assert check_support(made, RecordingBackend(name="new", traits=replace(ALL, images=False))) == []


def test_a_step_without_an_image_is_refused_where_steps_run_from_images() -> None:
    """A dry run needs none."""
    with pytest.raises(Unsupported, match=r'step: the odd backend needs an image; give step\.image = "NAME:TAG"'):
        check_support(plan(), RecordingBackend(name="odd", traits=ALL))
    (note,) = check_support(plan(), RecordingBackend())
    assert "measures nothing" in note


@pytest.mark.parametrize(
    ("made", "note"),
    [
        (plan(image="i"), "step: image 'i' is ignored; the command is taken from PATH"),
        (plan(cpu=1.0), "step: resources are ignored; units share one"),
        (plan(memory=1.0), "step: resources are ignored; units share one"),
        (plan({"placement": "any"}), "step: placement 'any' is ignored; all is on one"),
    ],
    ids=["image", "cpu", "memory", "placement"],
)
def test_what_a_platform_does_not_heed_is_noted(made: Plan, note: str) -> None:
    """The run goes on."""
    assert check_support(made, RecordingBackend(traits=NOTHING)) == [note]


@pytest.mark.parametrize(
    ("can", "words"),
    [
        (lambda traits: traits.traces, "use --backend process or docker"),
        (lambda traits: traits.seals, "use --backend docker or kubernetes"),
        (lambda traits: traits.stores, "use --backend kubernetes"),
        (lambda _traits: True, "use --backend process, docker or kubernetes"),
    ],
)
def test_the_backends_to_use_instead_are_named(can: Callable[[Traits], object], words: str) -> None:
    """One, two or more, as a sentence has them."""
    assert other_backends(can) == words

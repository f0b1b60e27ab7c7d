"""Odd images: what is odd is told, and is never taken for a measurement."""

from __future__ import annotations

import tarfile

import pytest

from support.docker_lab import foreign_image, image_with, single_node
from support.lab import Lab

pytestmark = pytest.mark.usefixtures("docker_empty", "nothing_left")
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'


def test_results_that_an_image_brings_with_it_are_no_measurement(lab: Lab) -> None:
    """Exit 3: what lies in the place of the results would be taken for the step's."""
    metric = '{"metric": "rate", "value": 99}\n'
    with image_with("windtunnel/results/metrics.jsonl", tarfile.REGTYPE, metric) as name:
        result = lab.run(single_node(["true"], name=name), "--backend", "docker")

    assert result.exit_code == 3
    assert result.cause == "image_unfit"
    message = f"client: image {name} has something of its own at /windtunnel/results, where a step's results go"
    assert result.record["cause"]["message"] == message
    assert not lab.samples()


def test_an_image_whose_shell_leads_nowhere_runs_too(lab: Lab) -> None:
    """As one that has none."""
    with image_with("usr/bin/sh", tarfile.SYMTYPE, "/nowhere") as name:
        text = single_node(["python3", "-c", "print('rate=4')"], RATE, name=name)
        result = lab.run(text, "--backend", "docker")

    assert result.record["metrics"]["rate"]["values"] == [4]


def test_an_image_for_another_machine_is_told(lab: Lab) -> None:
    """Where its programs run, they are emulated, and the numbers are the emulator's."""
    with foreign_image() as name:
        result = lab.run(single_node(["/program"], name=name), "--backend", "docker")

    assert result.exit_code == 1
    assert any(
        f"client: image '{name}' is for s390x" in reason and "are emulated, or do not run" in reason
        for reason in result.record["reasons"]
    )

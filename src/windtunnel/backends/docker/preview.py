"""What the docker backend would ask its daemon for, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from windtunnel.backends.archive import INPUTS, ROOT, input_links
from windtunnel.backends.base import Address, Launch
from windtunnel.backends.containers import HOME, METRICS, OUT, PYTHON, WORK
from windtunnel.backends.docker.container_spec import Surroundings, aliases, container_name, container_spec, host_of
from windtunnel.backends.docker.run_spec import (
    environment_volume_name,
    filler_name,
    filler_spec,
    input_volume_name,
    network_specs,
    networks_of,
)
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.preview import Document, Draft, port_of
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.plan import Program, Step

_API = (1, 42)
"""Docker 23 and newer."""
_PATH = "<path>"


def preview(draft: Draft) -> Iterator[Document]:
    """Yield the requests: for networks, volumes, and containers with their files, which are then started.

    One is its method, its path, and its body; one for an archive has the files, inputs and links that are in it.
    """
    return _Requests(draft).all()


class _Requests:
    def __init__(self, draft: Draft) -> None:
        self._draft, self._plan, self._run = draft, draft.plan, draft.run_id
        self._labels = RunLabels(draft.run_id, draft.plan, 0)
        self._inputs = {item.path: item.src for item in draft.plan.inputs}
        is_sealed = any(step.program.isolation == "sealed" for step in draft.plan.steps)
        self._input_volume = input_volume_name(self._run) if is_sealed and self._inputs else None

    def all(self) -> Iterator[Document]:
        self._draft.notes += [
            f"{self._run} stands for the run's id",
            "an image's name stands for its id, and a shell is taken to be in each",
        ]
        for name, body in network_specs(self._run, self._plan).items():
            yield self._create("/networks/create", {"Name": name, **body})
        if self._input_volume:
            places = {str(place): self._inputs[path] for path, place in input_links(self._inputs).items()}
            image = self._plan.steps[0].program.image or ""
            yield from self._fill_volume(self._input_volume, INPUTS, image, _archive(INPUTS, inputs=places))
        yield from self._environments()
        for units in self._draft.starts(_site, _environment):
            for unit in units:
                yield from self._make(unit)
            yield from (_request(f"/containers/{container_name(self._run, unit)}/start") for unit in units)

    def _fill_volume(
        self, volume: str, target: PurePosixPath, image: str, archive: Document, step: str | None = None
    ) -> Iterator[Document]:
        """Yield the requests that make a volume and fill it, through a container that goes then."""
        name = filler_name(volume)
        yield self._create("/volumes/create", {"Name": volume}, step)
        yield self._create(f"/containers/create?name={name}", filler_spec(volume, target, image), step)
        yield _put(name, archive)
        yield {"method": "DELETE", "path": f"/containers/{name}?force=1&v=1"}

    def _environments(self) -> Iterator[Document]:
        wanted = [step for step in self._plan.steps if step.program.requirements]
        if wanted:
            self._draft.notes.append(
                f"{_PATH} stands for the PATH of an image; the containers in which pip runs first are not shown"
            )
        for step in wanted:
            program = step.program
            archive = _archive(HOME) | {"environment": list(program.requirements)}
            yield from self._fill_volume(self._volume(step), PYTHON, program.image or "", archive, step.name)

    def _volume(self, step: Step) -> str:
        return environment_volume_name(self._run, step.name)

    def _make(self, unit: Unit) -> Iterator[Document]:
        """Yield the requests that make a unit's container and fill it."""
        program, step = unit.program, unit.step.name
        name, networks = container_name(self._run, unit), networks_of(self._run, self._plan, program)
        around = Surroundings(
            image=program.image or "",
            networks=networks,
            version=_API,
            python=self._volume(unit.step) if program.requirements else None,
            inputs=self._input_volume,
            tracer=["strace"],
        )
        yield self._create(f"/containers/create?name={name}", container_spec(unit, around), step)
        for network in networks[1:]:
            body = {"Container": name, "EndpointConfig": {"Aliases": aliases(unit)}}
            yield _request(f"/networks/{network}/connect", body)
        if unit.files or self._inputs:
            yield _put(name, self._content(unit.files, program))

    def _content(self, files: Mapping[str, str], program: Program) -> Document:
        """Return what is put into a container; one that is sealed sees the inputs by links."""
        is_sealed = program.isolation == "sealed"
        links = {path: str(place) for path, place in input_links(self._inputs).items()} if is_sealed else {}
        inputs = {} if is_sealed else self._inputs
        return _archive(HOME if is_sealed else ROOT, files=files, inputs=inputs, links=links)

    def _create(self, path: str, body: Mapping[str, Any], step: str | None = None) -> Document:
        return _request(path, {**body, "Labels": dict(self._labels.to_json(step))})


def _site(launch: Launch[Any]) -> Site:
    return Site(Address(host_of(launch.step), port_of(launch)), WORK, OUT, METRICS)


def _environment(_step: Step) -> Environment:
    return Environment(PYTHON, _PATH)


def _request(path: str, body: Mapping[str, Any] | None = None) -> Document:
    return {"method": "POST", "path": path, **({"body": dict(body)} if body else {})}


def _archive(path: PurePosixPath, **content: Mapping[str, str]) -> Document:
    """Return an archive: where it is unpacked, and by its place what of each kind is in it."""
    found = {kind: {str(WORK / name): what for name, what in each.items()} for kind, each in content.items() if each}
    return {"path": str(path), **found}


def _put(container: str, archive: Document) -> Document:
    """Return the request that puts an archive into a container."""
    return {"method": "PUT", **archive, "path": f"/containers/{container}/archive?path={archive['path']}"}

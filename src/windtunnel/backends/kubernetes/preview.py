"""What the kubernetes backend would make, as manifests that ``kubectl apply`` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from windtunnel.backends.agent.places import PORT
from windtunnel.backends.base import Launch, warden_seconds
from windtunnel.backends.containers import PYTHON
from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.affinity import Placing, among_members
from windtunnel.backends.kubernetes.container_spec import belongings, container_spec, is_in_client, site_of
from windtunnel.backends.kubernetes.manifests import Manifest, WardenSpec
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.paths import api_path
from windtunnel.backends.kubernetes.pod_spec import Companions, fetcher_arguments, grace_of, pod
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER
from windtunnel.backends.kubernetes.run_manifests import (
    TURN,
    host_name,
    pod_name,
    starts_together,
    step_services,
    target_lease,
    warden_belongings,
)
from windtunnel.backends.kubernetes.sealing import any_sealed, policy
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.kubernetes.settings import lease_seconds, named_namespace, runner_image
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.preview import Document, Draft
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.plan import Job, Step

_UID = "00000000-0000-0000-0000-000000000000"
_TIME = "2000-01-01T00:00:00.000000Z"
_KEY = b"(a key of the run's own)"
_TOKEN, _PATH = "<token>", "<path>"
_ADDRESSES = "192.0.2"
"""Of TEST-NET-1, which is for examples (RFC 5737)."""


def preview(draft: Draft) -> Iterator[Manifest]:
    """Yield the manifests: the warden's Job and what it needs, and for each step what its pods need, and these."""
    return _Manifests(draft).all()


class _Manifests:
    def __init__(self, draft: Draft) -> None:
        self._draft, self._plan = draft, draft.plan
        self._naming = Naming.of(RunLabels(draft.run_id, draft.plan, 0))
        self._secrecy = Secrecy.of(draft.plan)
        self._addresses: dict[str, str] = {}
        self._in_client: dict[str, Unit] = {}
        self._hosts = count(1)

    def all(self) -> Iterator[Document]:
        self._note()
        yield from self._turn()
        yield from self._warden()
        if any_sealed(self._plan):
            yield policy(self._naming)
        for units in self._draft.starts(self._site, _environment):
            unit = units[0]
            if is_in_client(unit.step):
                self._in_client[unit.step.name] = unit
            else:
                yield from self._start(units)

    def _note(self) -> None:
        notes = self._draft.notes
        notes += [
            f"{self._draft.run_id} stands for the run's id, and {self._naming.salt} for what follows from it",
            f"{_UID} stands for the uid of the warden's Job, {_TIME} for the time",
            f"{_TOKEN} stands for what lets a pod use the hub",
            "a node or a zone that a pod has to keep to is found in the run, from where its other pods are",
        ]
        if any_sealed(self._plan):
            notes.append(f"{_ADDRESSES}.1 and so on stand for the addresses of Services")
        if any(step.program.requirements for step in self._plan.steps):
            notes.append(f"{_PATH} stands for the PATH of an image; the pods that install requirements are not shown")

    def _turn(self) -> Iterator[Manifest]:
        if target := self._plan.target:
            naming = Naming.of(self._naming.labels, TURN)
            yield _timeless(target_lease(naming, target.name, lease_seconds()))

    def _warden(self) -> Iterator[Manifest]:
        naming = self._naming
        seconds = warden_seconds(self._plan, self._plan.timeout)
        wanted = WardenSpec(runner_image(), seconds, lease_seconds())
        path = api_path(named_namespace() or "default", "Lease", naming.home)
        job = manifests.warden_job(naming, wanted, path, seconds)
        yield job
        owned = {"metadata": {"name": job["metadata"]["name"], "uid": _UID}}
        self._naming = replace(naming, owner=manifests.owner_reference(owned))
        for manifest in warden_belongings(self._naming, _KEY, wanted.lease):
            yield _timeless(manifest) if manifest["kind"] == "Lease" else manifest
        self._name_address(naming.home)

    def _name_address(self, host: str) -> None:
        self._addresses[host] = f"{_ADDRESSES}.{next(self._hosts)}"

    def _site(self, launch: Launch[Any]) -> Site:
        return site_of(self._naming, launch.step, launch.iteration)

    def _start(self, units: Sequence[Unit]) -> Iterator[Manifest]:
        step = units[0].step
        needed = self._plan.services_for(step) if isinstance(step, Job) else ()
        beside = [self._in_client[each.name] for each in needed if each.name in self._in_client]
        own = units if isinstance(step, Job) else units[:1]
        for unit in (*own, *beside):
            yield from belongings(self._naming, self._secrecy, unit)
        for service in step_services(self._naming, units[0]):
            yield service
            if "ports" in service["spec"]:
                self._name_address(service["metadata"]["name"])
        away_from = [each.name for each in needed if each.placement == "apart"]
        for unit in units:
            yield from self._pod(unit, beside, Placing(away_from=away_from, **among_members(step)))

    def _pod(self, unit: Unit, beside: Sequence[Unit], placing: Placing) -> Iterator[Manifest]:
        name = pod_name(self._naming, unit)
        inputs = {item.path: str(key) for key, item in enumerate(self._plan.inputs)}
        grace = grace_of(unit.step, [each.step for each in beside])
        containers = [
            container_spec(self._naming, self._secrecy, each, self._packages(each.step)) for each in (unit, *beside)
        ]
        fetched = [(key, *self._input(key)) for key in inputs.values()]
        words = {
            COLLECTOR: [self._hub, _TOKEN, _TOKEN, name],
            FETCHER: fetcher_arguments(fetched, containers, self._input("start") if starts_together(unit) else None),
        }
        yield manifests.arguments(self._naming, name, unit.step.name, words)
        host = host_name(self._naming, unit)
        waits = starts_together(unit)
        companions = Companions(runner_image(), grace, inputs, self._addresses, host, unit.number, waits)
        yield pod(self._naming, name, containers, placing, companions)

    @property
    def _hub(self) -> str:
        return f"http://{self._naming.home}:{PORT}"

    def _input(self, name: str) -> tuple[str, str]:
        return f"{self._hub}/inputs/{name}", _TOKEN

    def _packages(self, step: Step) -> tuple[str, str] | None:
        return self._input(f"{step.name}-requirements") if step.program.requirements else None


def _timeless(lease: Manifest) -> Manifest:
    lease["spec"] |= {"acquireTime": _TIME, "renewTime": _TIME}
    return lease


def _environment(_step: Step) -> Environment:
    return Environment(PYTHON, _PATH)

"""What makes a unit a worker of a gang, or the launcher that works on one: commands, keys and scripts. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from windtunnel.backends.unit import Unit
from windtunnel.mpi.keys import Keys, make_keys
from windtunnel.mpi.launch_script import Host, Order, launch_argv, launch_files
from windtunnel.mpi.sshd import member_argv, member_files
from windtunnel.plan import Gang, Job, Launcher, Plan, members_of
from windtunnel.substitution import gang_names, references

_KEY = "(a key of the run's own)"
_NO_KEYS = Keys(private=_KEY, public=_KEY, host_private=_KEY, host_public=_KEY)


@dataclass
class Equipment:
    """Equips the units of one run.

    Attributes:
        plan: What the run does.
        make: Makes the keys by which workers let the launcher in.
        hosts: Where the workers of each gang are, by its name; none where the launcher starts all ranks itself.
    """

    plan: Plan
    make: Callable[[], Keys] = make_keys
    hosts: dict[str, Sequence[Host]] = field(default_factory=dict)

    @classmethod
    def stand_in(cls, plan: Plan, *, has_gangs: bool = True) -> Equipment:
        """Return what equips units that are shown or described ahead of a run: with no key, and names as addresses."""
        gangs = [step for step in plan.steps if isinstance(step, Gang)] if has_gangs else []
        found = cls(plan, lambda: _NO_KEYS)
        for gang in gangs:
            found.hosts[gang.name] = [Host(name=name, address=name) for name in names_of(gang)]
        return found

    @cached_property
    def keys(self) -> Keys:
        """The run's own keys, which are made when they are needed first."""
        return self.make()

    def values(self, gang: Gang) -> dict[str, str]:
        """Return the names under which a gang's workers are handed over, with their values."""
        names, hosts = gang_names(gang.name), self.hosts.get(gang.name, ())
        addresses = ",".join(host.address for host in hosts) or "localhost"
        return {names["hosts"]: addresses, names["size"]: str(gang.replicas)}

    def equip(self, unit: Unit) -> Unit:
        """Return a unit as a worker or a launcher, if its step is one; any other as it is."""
        if isinstance(unit.step, Gang) and not unit.installs:
            files = member_files(self.keys, unit.step.port or 0)
            return replace(unit, argv=tuple(member_argv(unit.site.work)), files={**unit.files, **files}, has_keys=True)
        if launched := self._launched_on(unit):
            return self._as_launcher(unit, *launched)
        return unit

    def order(self, unit: Unit) -> Order | None:
        """Return what a launcher is to do; None if the unit is none."""
        launched = self._launched_on(unit)
        return self._order(unit, *launched) if launched else None

    def _launched_on(self, unit: Unit) -> tuple[Launcher, Gang] | None:
        launcher = unit.step.launcher if isinstance(unit.step, Job) and not unit.installs else None
        gang = self.plan.step(launcher.gang) if launcher else None
        return (launcher, gang) if launcher and isinstance(gang, Gang) else None

    def _as_launcher(self, unit: Unit, launcher: Launcher, gang: Gang) -> Unit:
        equipped = replace(unit, has_keys=gang.name in self.hosts)
        files = launch_files(self._order(equipped, launcher, gang), self.keys if equipped.has_keys else None)
        return replace(equipped, argv=tuple(launch_argv(unit.site.work)), files={**unit.files, **files})

    def _order(self, unit: Unit, launcher: Launcher, gang: Gang) -> Order:
        return Order(
            implementation=launcher.implementation,
            ranks=launcher.ranks,
            slots=gang.slots,
            hosts=self.hosts.get(gang.name, ()),
            command=unit.argv,
            variables=sorted(unit.env),
            exports=_late(unit, gang),
            options=tuple(unit.substitute(launcher.options)),
            within=gang.ready.within,
            port=gang.port or 0,
            work=unit.site.work,
            metrics=unit.site.metrics,
            iteration=unit.iteration or 1,
        )


def planned_ranks(plan: Plan, gang: Gang) -> dict[int, list[int]]:
    """Return the ranks that belong on each worker of a gang, by the worker's number, from 1; those without left out."""
    launchers = [job.launcher for job in plan.jobs if job.launcher and job.launcher.gang == gang.name]
    ranks = range(max((each.ranks for each in launchers), default=0))
    found: dict[int, list[int]] = {}
    for rank in ranks:
        found.setdefault(rank // gang.slots + 1, []).append(rank)
    return found


def names_of(step: Gang | Job) -> list[str]:
    """Return the host names of a gang's workers, or of a job's members."""
    return [f"{step.name}-{number}" for number in range(members_of(step))]


def _late(unit: Unit, gang: Gang) -> dict[str, str]:
    """Return the variables that are known once the gang is up: an engine may have described the pod before."""
    names = gang_names(gang.name)
    late = {names["hosts"], names["size"]}
    late |= {name for name, text in unit.program.env.items() if references(text) & late}
    return {name: unit.env[name] for name in sorted(late) if name in unit.env}
